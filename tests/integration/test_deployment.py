"""The MLflow deployment target through the real `mlflow deployments` command, MLflow and Triton."""

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow.deployments import get_deploy_client
from mlflow.exceptions import MlflowException

from hilum.contract import CHALLENGER_SCREENING, SCREENING
from hilum.settings import settings
from hilum.triton.server import TritonServer
from tests.support.ports import free_ports
from tests.support.registries import without_aliases
from tests.support.rollout_site import RolloutSite, ToyReleases
from tests.support.servers import ADMIN_KEY
from tests.support.signed_answers import FILES, FIRST, SECOND, THIRD, compute
from training.ledger.entry import Entry
from training.ledger.ledger import Ledger
from training.ledger.serving import who_served
from training.promote.deployment.target import TritonDeploymentClient, target_help
from training.promote.promotion import promote_release
from training.promote.release import DIGEST_TAG
from training.promote.withdrawal import withdraw
from training.registry import Registry

MLFLOW = (sys.executable, "-m", "mlflow", "deployments")


class Bench:
    """A running Triton that serves nothing yet, and a registry whose champion is the first release."""

    def __init__(self, site: RolloutSite, registry: Registry) -> None:
        self.site = site
        self.registry = registry
        self.target = f"triton://{site.address}"
        self.first, self.second, self.third = map(site.releases.number, (FIRST, SECOND, THIRD))
        with Ledger(site.ledger_url) as ledger:
            promote_release(registry, ledger, self.first, who="tests", reason="a toy", force=True)
        self.environment = {
            "HILUM_HOME": str(site.live.parent),
            "HILUM_MLFLOW_URI": mlflow.get_tracking_uri(),
            "HILUM_TRITON_URL": site.address,
            "HILUM_ADMIN_KEY": ADMIN_KEY,
            "HILUM_INSTANCES": "1",
            "HILUM_ACTOR": "Ada",
        }

    def command(self, action: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run `mlflow deployments` as a user does."""
        command = [*MLFLOW, action, "--target", self.target, *map(str, arguments)]
        environment = os.environ | self.environment
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    def client(self) -> TritonDeploymentClient:
        """Return the client as MLflow finds it, with this site's settings."""
        client = get_deploy_client(self.target)  # type: ignore[no-untyped-call]
        assert isinstance(client, TritonDeploymentClient)
        return client

    def newest(self) -> Entry:
        """Return the ledger's newest entry."""
        with Ledger(self.site.ledger_url) as ledger:
            return list(ledger.entries())[-1]

    def uri(self, number: int) -> str:
        return f"models:/{SCREENING}/{number}"


@pytest.fixture(scope="module")
def shared_bench(
    toy_releases: ToyReleases,
    make_server: Callable[[Path], TritonServer],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Bench]:
    """The bench that all tests share: nothing that they deploy moves an alias."""
    site = RolloutSite.make(toy_releases, tmp_path_factory.mktemp("deployments"), make_server)
    toy_releases.number(FIRST)  # from here on there is a registered model
    bench = Bench(site, without_aliases(toy_releases.registry))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in bench.environment.items():
            patch.setenv(name, value)
        settings.cache_clear()
        with site.triton():
            yield bench
    settings.cache_clear()
    without_aliases(toy_releases.registry)


@pytest.fixture
def bench(shared_bench: Bench) -> Bench:
    """The bench, on which nothing is deployed yet."""
    if shared_bench.site.loaded():
        with shared_bench.site.open() as site:
            withdraw(site)
    assert shared_bench.site.loaded() == {}
    return shared_bench


def test_the_command_creates_and_asks_a_deployment(bench: Bench, tmp_path: Path) -> None:
    created = bench.command("create", "--name", SCREENING, "-m", f"models:/{SCREENING}@champion")
    assert created.returncode == 0, created.stderr
    assert f"hilum deployment {SCREENING} is created" in created.stdout
    bench.site.assert_serves_only(bench.first)
    (tmp_path / "picture.png").write_bytes(FILES[0])
    (tmp_path / "input.json").write_text(
        json.dumps({"path": [str(tmp_path / "picture.png"), str(tmp_path / "none.png")]})
    )
    predicted = bench.command("predict", "--name", SCREENING, "-I", tmp_path / "input.json")
    assert predicted.returncode == 0, predicted.stderr
    table = json.loads(predicted.stdout)
    assert table["release"]["0"] == bench.first
    assert table["probability_covid19"]["0"] == pytest.approx(float(compute(FIRST)[1][0][2]), abs=1e-5)
    assert table["release"]["1"] is None
    assert "none.png cannot be read: No such file" in table["error"]["1"]


def test_deleting_the_front_door_needs_force_and_leaves_nothing(bench: Bench) -> None:
    client = bench.client()
    client.create_deployment(SCREENING, f"models:/{SCREENING}@champion")
    got = client.get_deployment(SCREENING)
    assert (got["release"], got["state"], got["role"]) == (bench.first, "READY", "champion")
    assert got["digest"] == bench.registry.version(SCREENING, bench.first).tag(DIGEST_TAG)
    with pytest.raises(MlflowException, match=r"nothing answers at .* -C force=true -C reason=WHY"):
        client.delete_deployment(SCREENING)
    bench.site.assert_serves_only(bench.first)
    client.delete_deployment(SCREENING, config={"force": "true", "reason": "the ward moves"})
    assert bench.site.loaded() == {}
    assert list(bench.site.live.iterdir()) == []
    assert client.list_deployments() == []
    end = bench.newest()
    assert (end.kind, end.who, end.why) == ("rolled_out", "Ada", "the ward moves")
    assert (end.facts["champion"], end.facts["outcome"]) == (None, "removed")
    with Ledger(bench.site.ledger_url) as ledger:
        assert who_served(list(ledger.entries()), None).servings == ()


def test_champion_and_challenger_are_deployments_of_their_own(bench: Bench) -> None:
    client = bench.client()
    with pytest.raises(MlflowException, match="cannot take a challenger: It serves no champion") as caught:
        client.create_deployment(CHALLENGER_SCREENING, bench.uri(bench.second))
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    client.create_deployment(SCREENING, bench.uri(bench.first))
    made = client.create_deployment(CHALLENGER_SCREENING, bench.uri(bench.second))
    assert (made["release"], made["role"]) == (bench.second, "challenger")
    bench.site.assert_serves_only(bench.first, bench.second)
    assert [(d["name"], d["release"]) for d in client.list_deployments()] == [
        (SCREENING, bench.first),
        (CHALLENGER_SCREENING, bench.second),
    ]
    with pytest.raises(MlflowException, match=f"Release {bench.first} is champion there"):
        client.update_deployment(CHALLENGER_SCREENING, bench.uri(bench.first))
    permitted = {"force": "true", "reason": "release 1 is broken"}
    client.update_deployment(SCREENING, bench.uri(bench.third), config=permitted)
    bench.site.assert_serves_only(bench.third, bench.second)
    client.update_deployment(SCREENING, bench.uri(bench.second), config=permitted)
    bench.site.assert_serves_only(bench.second)  # and challenger no longer

    client.create_deployment(CHALLENGER_SCREENING, bench.uri(bench.first))
    client.delete_deployment(CHALLENGER_SCREENING)
    bench.site.assert_serves_only(bench.second)
    with pytest.raises(MlflowException, match=f"{CHALLENGER_SCREENING} is not deployed at") as caught:
        client.delete_deployment(CHALLENGER_SCREENING)
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_the_gate_is_not_gone_round(bench: Bench) -> None:
    client = bench.client()
    client.create_deployment(SCREENING, f"models:/{SCREENING}@champion")
    with pytest.raises(
        MlflowException, match=rf"No gate has judged release {bench.second}\. .*hilum release gate"
    ):
        client.update_deployment(SCREENING, bench.uri(bench.second))
    with pytest.raises(MlflowException, match="needs a reason, which is recorded"):
        client.update_deployment(SCREENING, bench.uri(bench.second), config={"force": "true"})
    assert bench.newest().facts["champion"] == bench.first
    bench.site.assert_serves_only(bench.first)
    forced = {"force": "true", "reason": "a drill"}
    client.update_deployment(SCREENING, bench.uri(bench.second), config=forced)
    bench.site.assert_serves_only(bench.second)
    entry = bench.newest()
    assert (entry.kind, entry.who, entry.why) == ("rolled_out", "Ada", "a drill")
    with Ledger(bench.site.ledger_url) as ledger:
        (serving,) = who_served(ledger.entries(), None).servings
    record = serving.record
    assert (record["release"], record["decision"], record["forced"]) == (bench.second, None, True)
    assert record["reason"] == "a drill"
    assert "No gate has judged release" in record["rollout"]["facts"]["overrode"]
    assert bench.registry.aliases(SCREENING)["champion"] == bench.first


def test_an_alias_that_was_moved_by_hand_opens_no_door(bench: Bench) -> None:
    bench.registry.set_alias(SCREENING, "champion", bench.second)
    made = bench.client().create_deployment(SCREENING, f"models:/{SCREENING}@champion")
    assert made["release"] == bench.first


def test_a_name_that_is_taken_is_updated_not_created(bench: Bench) -> None:
    client = bench.client()
    with pytest.raises(MlflowException, match="is not deployed at") as caught:
        client.update_deployment(SCREENING, bench.uri(bench.first))
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    client.create_deployment(SCREENING, bench.uri(bench.first))
    again = client.create_deployment(SCREENING, bench.uri(bench.first))
    assert again["release"] == bench.first
    with pytest.raises(MlflowException, match=f"serves release {bench.first} at .* already") as caught:
        client.create_deployment(SCREENING, bench.uri(bench.second))
    assert caught.value.error_code == "RESOURCE_ALREADY_EXISTS"

    answers = client.predict(
        SCREENING,
        pd.DataFrame({"image_bytes": [FILES[0], base64.b64encode(FILES[1]).decode(), b"no image", "***"]}),
    )
    assert list(answers["accepted"][:2]) == list(compute(FIRST)[0])
    assert answers["finding"][0] in ("no_finding", "lung_opacity", "covid19")
    assert "could not answer an image" in answers["error"][2]
    assert "must hold bytes, or base64 text" in answers["error"][3]
    with pytest.raises(MlflowException, match="in one of the columns path and image_bytes, found image"):
        client.predict(SCREENING, {"image": ["a.png"]})


@pytest.mark.parametrize(
    ("name", "uri", "options", "sentence"),
    [
        ("xray_filter", f"models:/{SCREENING}@champion", {}, f"A deployment is called {SCREENING} or "),
        (
            SCREENING,
            "models:/xray_filter/1",
            {},
            "Only releases can be deployed, filter and classifier together",
        ),
        (SCREENING, "runs:/abc/model", {}, "Only releases can be deployed"),
        (
            SCREENING,
            f"models:/{SCREENING}@nobody",
            {},
            "No release has the alias 'nobody'; there are: champion",
        ),
        (SCREENING, f"models:/{SCREENING}/999", {}, "has no version 999"),
        (SCREENING, f"models:/{SCREENING}@champion", {"instances": 3}, "-C instances=… is not known here"),
        (SCREENING, f"models:/{SCREENING}@champion", {"force": "yes"}, "must be true or false, got yes"),
        (
            SCREENING,
            f"models:/{SCREENING}@champion",
            {"repository": "/nowhere"},
            "There is no folder /nowhere",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_by_a_sentence(
    bench: Bench, name: str, uri: str, options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(MlflowException, match=sentence):
        bench.client().create_deployment(name, uri, config=options)


def test_another_triton_needs_its_repository_and_the_target_its_form(bench: Bench) -> None:
    champion = f"models:/{SCREENING}@champion"
    with pytest.raises(MlflowException, match=r"Triton at 127.0.0.1:1 is not the one of this installation"):
        TritonDeploymentClient("triton://127.0.0.1:1").create_deployment(SCREENING, champion)
    with pytest.raises(MlflowException, match=r"Triton does not answer at 127.0.0.1:1\.") as caught:
        TritonDeploymentClient("triton://127.0.0.1:1").create_deployment(
            SCREENING, champion, config={"repository": str(bench.site.live)}
        )
    assert caught.value.error_code == "TEMPORARILY_UNAVAILABLE"
    with pytest.raises(MlflowException, match="The target must be triton or triton://HOST:PORT"):
        TritonDeploymentClient("triton://no-port")
    assert TritonDeploymentClient("triton").list_deployments() == []
    with pytest.raises(MlflowException, match="Triton has no endpoints"):
        TritonDeploymentClient("triton").list_deployments(endpoint="ward")


def test_help_says_what_can_be_given() -> None:
    for word in (
        "triton://HOST:PORT",
        CHALLENGER_SCREENING,
        "-C repository=DIR",
        "-C force=true",
        "-C reason=",
    ):
        assert word in target_help()


def test_run_local_serves_a_release_until_it_is_stopped(bench: Bench, tmp_path: Path) -> None:
    http, grpc, metrics = free_ports(3)
    ports = {"HILUM_HTTP_PORT": str(http), "HILUM_GRPC_PORT": str(grpc), "HILUM_METRICS_PORT": str(metrics)}
    own = {"HILUM_TRITON_URL": "", "HILUM_HOME": str(tmp_path / "own")}
    command = [*MLFLOW, "run-local", "-t", "triton", "--name", SCREENING, "-m", bench.uri(bench.second)]
    environment = os.environ | bench.environment | ports | own
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == f"Release {bench.second} answers at 127.0.0.1:{grpc}. Ctrl-C stops it.\n"
        assert bench.site.ask(f"127.0.0.1:{grpc}").release == bench.second
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    assert bench.site.loaded() == {}
