"""What the chart runs beside Triton: programs parse their own commands, settings are real ones."""

import configparser
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from hilum.settings import Settings
from tests.support.chart.clusters import cluster
from tests.support.chart.commands import environment
from tests.support.helm import Helm, Object, Rendered, load_values, values_files
from training.commands.kserve import kserve
from training.commands.rollout import verify
from training.commands.train import train
from training.commands.watch import watch
from training.export.tensorrt.job import CLAIM, build_job
from training.export.tensorrt.plan import BuildPlan, Profile

DATA = {"existingClaim": "radiographs"}


def containers(pod: Object) -> Iterator[Object]:
    """Yield every container of a pod's specification."""
    yield from pod.get("initContainers", [])
    yield from pod["containers"]


def pods(rendered: Rendered) -> Iterator[Object]:
    """Yield the specification of every pod."""
    for each in rendered.objects:
        found = each
        if each["kind"] == "CronJob":
            found = each["spec"]["jobTemplate"]
        if each["kind"] == "TrainingRuntime":
            found = each["spec"]["template"]["spec"]["replicatedJobs"][0]["template"]
        if each["kind"] == "Pod":
            yield each["spec"]
        elif "template" in found.get("spec", {}) and "containers" in found["spec"]["template"]["spec"]:
            yield found["spec"]["template"]["spec"]


def command_of(container: Object) -> list[str]:
    """Return the command line."""
    return [*container.get("command", []), *container.get("args", [])]


def parsed(command: click.Command, arguments: list[str]) -> dict[str, Any]:
    """Return what a command of click's makes of its arguments; it must take them all."""
    context = command.make_context(command.name, list(arguments), resilient_parsing=False)
    return context.params


def training_command(helm: Helm, **training: Any) -> list[str]:
    """Return the command of the one training."""
    rendered = helm.render({"training": {"data": DATA, "networks": ["classifier"], **training}}, cluster())
    (pod,) = (pod for pod in pods(rendered) if pod["containers"][0]["name"] in ("training", "node"))
    return command_of(pod["containers"][0])


@pytest.mark.parametrize("path", values_files(), ids=lambda path: path.stem)
def test_every_setting_has_a_value_that_hilum_takes(
    helm: Helm, path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # a hilum.toml of this checkout is another installation's
    for pod in pods(helm.render(load_values(path), cluster())):
        for container in containers(pod):
            with monkeypatch.context() as variables:
                for name, value in environment(container).items():
                    variables.setenv(name, value)
                Settings()  # raises where one has a value that Hilum refuses


def test_trainings_are_what_hilum_train_takes(helm: Helm) -> None:
    settings = {"maxMinutes": 15, "epochs": 3, "weights": "/data/densenet121.pt", "seed": 5}
    command = training_command(helm, kind="Job", recipe="icapuc_scratch", **settings)
    assert command[:2] == ["hilum", "train"]
    taken = parsed(train, [each.replace("--data=/data", "--data=/tmp") for each in command[2:]])
    assert taken == {
        "network": "classifier",
        "folder": Path("/tmp"),
        "recipe": "icapuc_scratch",
        "epochs": 3,
        "max_minutes": 15.0,
        "device": "cpu",
        "weights": "/data/densenet121.pt",
        "seed": 5,
        "as_json": False,
    }
    bare = parsed(train, [*training_command(helm, kind="CronJob")[2:3], "--data", "/tmp"])
    assert bare["max_minutes"] is None


@pytest.mark.parametrize(
    ("training", "launcher"),
    [
        ({"kind": "Job", "processes": 3}, ["torchrun", "--standalone", "--nproc-per-node=3", "-m", "hilum"]),
        ({"kind": "Job", "gpus": 2}, ["torchrun", "--standalone", "--nproc-per-node=2", "-m", "hilum"]),
        ({"kind": "CronJob", "gpus": 1}, ["hilum"]),
        ({"kind": "TrainJob", "gpus": 2}, ["torchrun", "-m", "hilum"]),
    ],
)
def test_torchrun_starts_several_processes(helm: Helm, training: dict[str, Any], launcher: list[str]) -> None:
    command = training_command(helm, **training)
    assert command[: len(launcher)] == launcher
    assert command[len(launcher)] == "train"
    assert f"--device={'cuda' if 'gpus' in training else 'cpu'}" in command
    if launcher[0] == "torchrun":
        from torch.distributed.run import get_args_parser

        started = get_args_parser().parse_args(command[1:])
        assert (started.module, started.training_script) == (True, "hilum")


def test_several_machines_train_as_one_train_job(helm: Helm) -> None:
    volume = {"accessMode": "ReadWriteMany"}
    training = {"kind": "TrainJob", "gpus": 2, "nodes": 3, "data": DATA, "persistence": volume}
    rendered = helm.render({"training": training}, cluster())
    runtimes, jobs = rendered.of_kind("TrainingRuntime"), rendered.of_kind("TrainJob")
    assert [each["metadata"]["name"] for each in runtimes] == [each["metadata"]["name"] for each in jobs]
    for runtime, job in zip(runtimes, jobs, strict=True):
        assert job["spec"]["runtimeRef"]["name"] == runtime["metadata"]["name"]
        policy = runtime["spec"]["mlPolicy"]
        assert (policy["numNodes"], policy["torch"]["numProcPerNode"]) == (3, 2)
        assert job["spec"]["trainer"] == {"numNodes": 3, "numProcPerNode": 2}
    assert {claim["spec"]["accessModes"][0] for claim in training_claims(rendered)} == {"ReadWriteMany"}


def test_a_train_job_that_changes_is_another_one(helm: Helm) -> None:
    """Kubeflow lets nobody change what a TrainJob runs, nor its runtime under it."""

    def name(**training: Any) -> str:
        volume = {"accessMode": "ReadWriteMany"}
        values = {"kind": "TrainJob", "data": DATA, "networks": ["filter"], "persistence": volume, **training}
        (job,) = helm.render({"training": values}, cluster()).of_kind("TrainJob")
        made: str = job["metadata"]["name"]
        return made

    changes = [
        {},
        {"nodes": 2},
        {"processes": 2},
        {"backoffLimit": 1},
        {"activeDeadlineSeconds": 60},
        {"seed": 1},
    ]
    assert len({name(**change) for change in changes}) == len(changes)
    assert name(persistence={"accessMode": "ReadWriteMany", "size": "60Gi"}) == name()


def training_claims(rendered: Rendered) -> list[Object]:
    return [
        each for each in rendered.of_kind("PersistentVolumeClaim") if "training" in each["metadata"]["name"]
    ]


def test_an_upgrade_trains_again_only_where_the_training_changed(helm: Helm) -> None:
    def name(**values: Any) -> list[str]:
        training = {"kind": "Job", "data": DATA, **values.pop("training", {})}
        rendered = helm.render({"training": training, **values}, cluster(), upgrade=True)
        return [each["metadata"]["name"] for each in rendered.of_kind("Job")]

    first = name()
    assert len(first) == len(set(first)) == 2
    assert name(mlflow={"workers": 4}) == first
    assert not set(name(training={"seed": 1})) & set(first)


def test_the_watcher_is_woken_by_the_mlflow_that_the_chart_runs(helm: Helm) -> None:
    rendered = helm.render({}, cluster())
    pod = rendered.find("Deployment", "hilum-rollout")["spec"]["template"]["spec"]
    command = command_of(pod["containers"][0])
    assert command[:3] == ["hilum", "rollout", "watch"]
    taken = parsed(watch, command[3:])
    assert taken["interval_s"] == 30
    service = rendered.find("Service", "hilum-rollout")
    (port,) = (each["port"] for each in service["spec"]["ports"])
    assert taken["webhook_url"] == f"http://hilum-rollout.screening.svc:{port}/webhooks/mlflow"
    assert rendered.find("Deployment", "hilum-rollout")["spec"]["replicas"] == 1


def test_an_mlflow_elsewhere_is_only_given_an_address_that_it_can_reach(helm: Helm) -> None:
    def asked(**webhook: Any) -> str | None:
        values = {
            "mlflow": {"enabled": False, "externalUri": "https://mlflow.example.org"},
            "rollout": {"webhook": webhook},
            "networkPolicy": {"egress": {"mlflow": [{"ipBlock": {"cidr": "203.0.113.10/32"}}]}},
        }
        pod = helm.render(values, cluster()).find("Deployment", "hilum-rollout")["spec"]["template"]["spec"]
        url: str | None = parsed(watch, command_of(pod["containers"][0])[3:])["webhook_url"]
        return url

    assert asked() is None
    assert (
        asked(url="https://hooks.example.org/webhooks/mlflow") == "https://hooks.example.org/webhooks/mlflow"
    )
    assert asked(url="https://hooks.example.org/webhooks/mlflow", enabled=False) is None


@pytest.fixture(scope="module")
def mlflow_options() -> set[str]:
    """What `mlflow server` takes, by its own word."""
    command = [sys.executable, "-m", "mlflow", "server", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(re.findall(r"--[a-z-]+", told.stdout))


@pytest.mark.parametrize("path", values_files(), ids=lambda path: path.stem)
def test_mlflow_takes_its_command_and_answers_to_its_names(
    helm: Helm, path: Path, mlflow_options: set[str]
) -> None:
    rendered = helm.render(load_values(path), cluster())
    if not rendered.values["mlflow"]["enabled"]:
        assert "hilum-mlflow" not in {each["metadata"]["name"] for each in rendered.of_kind("Deployment")}
        return
    pod = rendered.find("Deployment", "hilum-mlflow")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["command"] == ["mlflow", "server"]
    given = dict(argument.split("=", 1) for argument in container["args"])
    assert set(given) <= mlflow_options
    assert {"hilum-mlflow.screening.svc:5000", "localhost:*"} <= set(given["--allowed-hosts"].split(","))


def test_basic_auth_keeps_its_users_where_mlflow_keeps_its_runs(helm: Helm, tmp_path: Path) -> None:
    values = {"mlflow": {"auth": {"enabled": True, "existingSecret": "a"}, "client": {"existingSecret": "a"}}}
    pod = helm.render(values, cluster()).find("Deployment", "hilum-mlflow")["spec"]["template"]["spec"]
    (writer,) = pod["initContainers"]
    script = writer["command"][2].replace("/auth/", f"{tmp_path}/")
    url = "postgresql+psycopg://hilum:p%25ss@db/mlflow"
    variables = {"MLFLOW_BACKEND_STORE_URI": url, "DEFAULT_PERMISSION": "READ"}
    subprocess.run([sys.executable, "-c", script], env=os.environ | variables, check=True)
    read = configparser.ConfigParser()  # as MLflow reads it, with its interpolation
    read.read(tmp_path / "basic_auth.ini")
    assert dict(read["mlflow"]) == {"database_uri": url, "default_permission": "READ"}


def test_the_engine_job_is_the_one_that_the_export_writes(helm: Helm) -> None:
    plan = BuildPlan(
        model="xray_classifier",
        version=7,
        onnx_sha256="0" * 64,
        reference_sha256="0" * 64,
        opset=20,
        ir_version=10,
        decision={"threshold": "0.5"},
        precision="fp16",
        tensorrt=10,
        image="hilum-server:0.1.0-triton26.09",
        compute_capability="9.0",
        profile=Profile(max=16),
    )
    written = build_job(plan)
    folder = written["metadata"]["name"]
    build = {"folder": folder, "computeCapability": "9.0"}
    (job,) = helm.render({"tensorrt": {"builds": [build]}}, cluster()).of_kind("Job")
    assert re.fullmatch(rf"hilum-{folder}-[0-9a-f]{{8}}", job["metadata"]["name"])
    assert job["spec"]["backoffLimit"] == written["spec"]["backoffLimit"]
    assert job["spec"]["activeDeadlineSeconds"] == written["spec"]["activeDeadlineSeconds"]
    pod, expected = job["spec"]["template"]["spec"], written["spec"]["template"]["spec"]
    assert pod["volumes"] == expected["volumes"]
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == CLAIM
    assert pod["nodeSelector"] == expected["nodeSelector"]
    assert pod["restartPolicy"] == expected["restartPolicy"]
    assert expected["securityContext"].items() <= pod["securityContext"].items()
    (container,), (wanted,) = pod["containers"], expected["containers"]
    for field in ("name", "image", "command", "volumeMounts", "securityContext"):
        assert container[field] == wanted[field], field
    limits = {name: str(quantity) for name, quantity in container["resources"]["limits"].items()}
    assert limits == wanted["resources"]["limits"]


def test_releases_are_published_by_an_account_that_may_do_that_alone(helm: Helm) -> None:
    (path,) = (path for path in values_files() if path.stem == "kserve-values")
    rendered = helm.render(load_values(path), cluster())
    (cron_job,) = rendered.of_kind("CronJob")
    pod = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    taken = parsed(kserve, command_of(pod["containers"][0])[3:])
    (service,) = rendered.of_kind("InferenceService")
    assert (taken["service"], taken["namespace"]) == (service["metadata"]["name"], "screening")
    assert service["spec"]["predictor"]["model"]["storageUri"] == f"{taken['storage']}/release-7"
    (role,) = rendered.of_kind("Role")
    assert role["rules"] == [
        {
            "apiGroups": ["serving.kserve.io"],
            "resources": ["inferenceservices"],
            "resourceNames": [service["metadata"]["name"]],
            "verbs": ["get", "update"],
        }
    ]
    with_token = [pod for pod in pods(rendered) if pod["automountServiceAccountToken"]]
    assert with_token == [pod]


def test_under_kserve_the_hook_test_asks_each_pod_for_what_its_release_promised(helm: Helm) -> None:
    (path,) = (path for path in values_files() if path.stem == "kserve-values")
    rendered = helm.render(load_values(path), cluster())
    pod = rendered.find("Pod", "hilum-test-golden-cases")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (container,) = pod["spec"]["containers"]
    assert parsed(verify, command_of(container)[3:])["by_kserve"]
    host, _, port = environment(container)["HILUM_TRITON_URL"].removeprefix("dns:///").rpartition(":")
    service = rendered.find("Service", host.partition(".")[0])
    assert host == f"{service['metadata']['name']}.screening.svc"
    assert service["spec"]["clusterIP"] == "None", "one address for each pod"
    assert [each["port"] for each in service["spec"]["ports"]] == [int(port)]
    runtime = rendered.find("ServingRuntime", "hilum-triton")["spec"]
    assert service["spec"]["selector"].items() <= runtime["labels"].items(), "canaries' pods too"


@pytest.mark.parametrize("path", values_files(), ids=lambda path: path.stem)
def test_the_notes_name_objects_that_are_there(helm: Helm, path: Path) -> None:
    rendered = helm.render(load_values(path), cluster())
    named = re.findall(r"\b(deployment|service|cronjob|inferenceservice)/([a-z0-9-]+)", rendered.notes)
    there = {(each["kind"].lower(), each["metadata"]["name"]) for each in rendered.objects}
    assert named
    assert set(named) <= there
    assert len(re.findall(r"^  \d\. ", rendered.notes, re.MULTILINE)) == 3


def test_the_notes_warn_of_what_applies(helm: Helm) -> None:
    plain = helm.render({}, cluster()).notes
    assert "gRPC is not encrypted" in plain
    assert "Nothing scales Triton" in plain
    (path,) = (path for path in values_files() if path.stem == "production-values")
    assert "Mind:" not in helm.render(load_values(path), cluster()).notes
    closed = helm.render(
        {
            "training": {"kind": "Job", "data": DATA},
            "triton": {"ingress": {"enabled": True, "host": "x.example.org"}},
        },
        cluster(),
    ).notes
    assert "cannot fetch them (networkPolicy.egress.weights is empty)" in closed
    assert "networkPolicy.clients lets in pods of this namespace only" in closed


def test_what_reads_secrets_at_its_start_can_be_restarted_by_them(helm: Helm) -> None:
    """Rendered without a cluster, there is no Secret to look at: the annotation is there all the same."""
    (path,) = (path for path in values_files() if path.stem == "production-values")
    deployments = helm.render(load_values(path), cluster()).of_kind("Deployment")
    found = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"].get("annotations", {})
        for each in deployments
    }
    assert {"hilum-triton", "hilum-rollout", "hilum-mlflow", "hilum-dashboard"} == set(found)
    for annotations in found.values():
        assert re.fullmatch(r"[0-9a-f]{64}", annotations["checksum/secrets"])
    assert len({annotations["checksum/secrets"] for annotations in found.values()}) == len(found)
    for each in helm.render({"dashboard": {"enabled": True}}, cluster()).of_kind("Deployment"):
        assert "checksum/secrets" not in each["spec"]["template"]["metadata"].get("annotations", {})
