"""A service of KServe follows the aliases, step by step, on a server that plays the Kubernetes API."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml

from hilum.contract import SCREENING
from hilum.errors import ServiceUnreachableError, UsageError
from tests.support.data import REPOSITORY, crd_folder
from tests.support.kubernetes_api import KubernetesApi, kubernetes_api
from tests.support.rollout_site import ToyReleases
from tests.support.s3_server import CREDENTIALS, s3_server
from tests.support.signed_answers import FIRST, SECOND
from tests.support.verdicts import judge
from training.errors import ClusterError
from training.ledger.ledger import Ledger
from training.ledger.serving import who_served
from training.promote.targets import cluster as cluster_module
from training.promote.targets import kserve_rollout
from training.promote.targets.cluster import Cluster, ConflictError
from training.promote.targets.kserve_rollout import KServeResult, roll_out
from training.promote.targets.traffic_steps import Goal
from training.repository.lint import lint_repository

STORAGE = "s3://models/releases"


@pytest.fixture
def api() -> Iterator[KubernetesApi]:
    with kubernetes_api() as running:
        yield running


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kserve_rollout, "POLL_S", 0.0)
    monkeypatch.setattr(cluster_module, "READS", 0)


def documented_template() -> dict[str, Any]:
    """The template that docs/targets.md shows."""
    text = (REPOSITORY / "docs" / "targets.md").read_text()
    found = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert found
    template = yaml.safe_load(found[1])
    assert isinstance(template, dict)
    return template


class Rollouts:
    """Rollouts of one service, with the command's usual arguments."""

    def __init__(self, api: KubernetesApi, ledger: Ledger, folder: Path, mode: str = "Standard") -> None:
        self.api, self.ledger = api, ledger
        self.cluster = Cluster("models", "hilum", kubeconfig=api.kubeconfig(folder))
        self.template = documented_template()
        self.template["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] = mode

    def to(
        self, champion: int, challenger: int | None = None, percent: int = 10, timeout_s: float = 30
    ) -> KServeResult:
        goal = Goal(champion=champion, challenger=challenger, percent=percent, storage=STORAGE)
        return roll_out(
            self.cluster, self.ledger, goal, who="ada", template=self.template, timeout_s=timeout_s
        )

    def asked(self) -> list[tuple[int, dict[int, int]]]:
        """What was written since the last call: stable release, and percent by canary's release."""
        seen = [
            (number(stable), {number(uri): percent for uri, percent in canaries.items()})
            for _, stable, canaries in self.api.seen_traffic()
        ]
        self.api.written.clear()
        return seen

    def recorded(self) -> list[tuple[str, int, int | None]]:
        """The ledger: kind, champion and challenger."""
        return [(e.kind, e.facts["champion"], e.facts["challenger"]) for e in self.ledger.entries()]


def number(uri: str) -> int:
    assert uri.startswith(f"{STORAGE}/release-")
    return int(uri.rpartition("-")[2])


@pytest.fixture
def rollouts(api: KubernetesApi, ledger: Ledger, tmp_path: Path) -> Rollouts:
    return Rollouts(api, ledger, tmp_path)


def test_canary_promotion_and_rollback_among_named_predictors(rollouts: Rollouts) -> None:
    created = rollouts.to(1)
    assert created.outcome == "created"
    assert created.url == "http://hilum.models.example.com"
    assert rollouts.asked() == [(1, {})]
    assert rollouts.to(1, 2, 10).outcome == "changed"
    assert rollouts.asked() == [(1, {2: 0}), (1, {2: 10})]
    rollouts.to(1, 2, 25)
    assert rollouts.asked() == [(1, {2: 25})]
    rollouts.to(2)
    assert rollouts.asked() == [(2, {})]
    rollouts.to(1)
    assert rollouts.asked() == [(2, {1: 0}), (1, {})]
    rollouts.to(1, 3)
    rollouts.asked()
    rollouts.to(1)
    assert rollouts.asked() == [(1, {})]
    assert rollouts.recorded()[:8] == [
        ("rollout_began", 1, None),
        ("rolled_out", 1, None),
        ("rollout_began", 1, None),  # release 2 starts, without traffic
        ("rolled_out", 1, None),
        ("rollout_began", 1, 2),
        ("rolled_out", 1, 2),
        ("rollout_began", 1, 2),  # with more traffic
        ("rolled_out", 1, 2),
    ]


def test_promotion_keeps_the_canarys_deployment_and_the_predictors_other_fields(rollouts: Rollouts) -> None:
    rollouts.to(1)
    rollouts.to(1, 2)
    stored = rollouts.api.stored
    assert stored
    (canary,) = stored["spec"]["canary"]
    assert canary["predictor"]["minReplicas"] == 2, "it may have to take over"
    assert canary["predictor"]["serviceAccountName"] == "hilum-models", "it opens the bucket"
    rollouts.to(2)
    assert rollouts.api.stored
    predictor = rollouts.api.stored["spec"]["predictor"]
    assert predictor["name"] == canary["predictor"]["name"] == "release-2"
    assert predictor["model"] == canary["predictor"]["model"]
    assert predictor["serviceAccountName"] == "hilum-models"


def test_canary_promotion_and_rollback_among_revisions(
    api: KubernetesApi, ledger: Ledger, tmp_path: Path
) -> None:
    rollouts = Rollouts(api, ledger, tmp_path, mode="Knative")
    rollouts.to(1)
    assert rollouts.asked() == [(1, {})]
    rollouts.to(1, 2, 10)
    assert rollouts.asked() == [(2, {2: 0}), (2, {2: 10})]
    rollouts.to(1)
    assert rollouts.asked() == [(2, {2: 0}), (1, {})], "its traffic first, then its pods"
    rollouts.to(1, 2, 10)
    rollouts.asked()
    rollouts.to(2, 3, 5)
    assert rollouts.asked() == [(2, {}), (3, {3: 0}), (3, {3: 5})]
    rollouts.to(1)
    assert rollouts.asked() == [(1, {1: 0}), (1, {})]


def test_a_new_champion_without_a_canary_runs_before_it_gets_traffic(rollouts: Rollouts) -> None:
    rollouts.to(1)
    rollouts.to(2)
    assert rollouts.asked() == [(1, {}), (1, {2: 0}), (2, {})]


def test_nothing_is_written_or_recorded_where_nothing_is_to_do(rollouts: Rollouts) -> None:
    rollouts.to(1, 2)
    rollouts.asked()
    before = rollouts.recorded()
    again = rollouts.to(1, 2)
    assert (again.outcome, again.steps) == ("verified", ())
    assert rollouts.asked() == []
    assert rollouts.recorded() == before


@pytest.mark.parametrize("mode", ["Standard", "Knative"])
def test_a_release_that_does_not_load_is_taken_away_and_gets_no_traffic(
    api: KubernetesApi, ledger: Ledger, tmp_path: Path, mode: str
) -> None:
    rollouts = Rollouts(api, ledger, tmp_path, mode)
    rollouts.to(1)
    assert api.stored
    spec = api.stored["spec"]
    rollouts.asked()
    api.broken_release = "release-2"
    with pytest.raises(
        ClusterError, match=r"ModelLoadFailed: no such opset.*who answered before goes on answering"
    ):
        rollouts.to(2)
    assert api.stored["spec"] == spec
    assert all(percent == 0 for _, canaries in rollouts.asked() for percent in canaries.values())
    (failed,) = [entry for entry in ledger.entries() if entry.kind == "rollout_failed"]
    assert failed.who == "ada"
    assert "no such opset" in failed.facts["error"]


def test_a_challenger_that_never_gets_ready_is_taken_away_after_the_deadline(rollouts: Rollouts) -> None:
    rollouts.to(1)
    rollouts.api.reads_until_ready = 10**9
    with pytest.raises(ClusterError, match=r"not ready after 0 s: it is not ready \(Starting\).*taken back"):
        rollouts.to(1, 2, timeout_s=0.2)
    assert rollouts.asked() == [(1, {}), (1, {2: 0}), (1, {})]


def test_a_rollout_that_was_cut_short_is_ended_by_the_next(
    rollouts: Rollouts, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollouts.to(1)

    with monkeypatch.context() as patch:
        patch.setattr(kserve_rollout, "_wait", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            rollouts.to(2)
    assert rollouts.asked() == [(1, {}), (1, {2: 0})]
    rollouts.to(2)
    assert rollouts.asked() == [(2, {})]
    assert rollouts.recorded()[-3:] == [
        ("rollout_began", 1, None),  # release 2 starts, and nobody sees it get ready
        ("rollout_began", 2, None),
        ("rolled_out", 2, None),
    ]


def test_a_step_that_was_cut_short_is_recorded_once_it_is_seen_in_force(
    rollouts: Rollouts, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollouts.to(1)
    rollouts.to(1, 2)
    api = rollouts.api
    with monkeypatch.context() as patch:
        patch.setattr(kserve_rollout, "_wait", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            rollouts.to(2)
    assert rollouts.recorded()[-1] == ("rollout_began", 2, None)
    api.reads_until_ready = 0
    rollouts.cluster.fetch()  # KServe's controller has come by
    assert rollouts.to(2).outcome == "verified"
    assert rollouts.recorded()[-1] == ("rolled_out", 2, None)
    assert who_served(rollouts.ledger.entries(), None).doubts == ()


def test_a_champion_that_took_over_is_known_to_serve_although_its_challenger_failed(
    rollouts: Rollouts,
) -> None:
    rollouts.to(1)
    rollouts.api.broken_release = "release-3"
    with pytest.raises(ClusterError, match=r"Release 3 starts, without traffic\. That failed"):
        rollouts.to(2, 3)
    answer = who_served(rollouts.ledger.entries(), None)
    assert [(serving.role, serving.release, serving.certainty) for serving in answer.servings] == [
        ("champion", 2, "answered")
    ]
    assert answer.doubts == ()


def test_another_writers_change_is_kept(rollouts: Rollouts) -> None:
    rollouts.to(1)
    rollouts.api.rivals = 2
    rollouts.to(1, 2)
    assert rollouts.api.stored
    assert rollouts.api.stored["metadata"]["labels"]["touched"] == "2"
    assert rollouts.asked() == [(1, {}), (1, {2: 0}), (1, {2: 10})]
    rollouts.api.rivals = 10**9
    with pytest.raises(ConflictError, match="Somebody else is changing InferenceService hilum"):
        rollouts.to(1)


def test_refusals_say_what_to_do(rollouts: Rollouts, tmp_path: Path) -> None:
    rollouts.api.refused = (403, 'inferenceservices is forbidden: User "bob" cannot get it')
    with pytest.raises(
        ClusterError, match=r"cannot get it\. The account needs the verbs get, create and update"
    ):
        rollouts.to(1)
    rollouts.api.refused = None
    rollouts.template["spec"]["predictor"]["model"]["modelFormat"] = {"name": "triton", "versoin": "2"}
    if crd_folder() is not None:
        with pytest.raises(ClusterError, match=r"refuses to create.*versoin"):
            rollouts.to(1)
    with pytest.raises(UsageError, match="No Kubernetes cluster is configured"):
        Cluster("models", "hilum", kubeconfig=tmp_path / "none")
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # and nobody listens
        nobody = KubernetesApi(f"http://127.0.0.1:{unheard.getsockname()[1]}")
        lost = Cluster("models", "hilum", kubeconfig=nobody.kubeconfig(tmp_path))
        with pytest.raises(ServiceUnreachableError, match="The Kubernetes API does not answer"):
            lost.fetch()


def test_a_service_that_is_not_there_needs_a_template(rollouts: Rollouts) -> None:
    goal = Goal(champion=1, challenger=None, percent=0, storage=STORAGE)
    with pytest.raises(UsageError, match="There is no InferenceService hilum in namespace models"):
        roll_out(rollouts.cluster, rollouts.ledger, goal, who="ada", template=None, timeout_s=1)
    assert rollouts.recorded() == []


@pytest.mark.skipif(crd_folder() is None, reason="needs KServe's CRD schemas: set HILUM_CRDS to their folder")
def test_the_double_refuses_what_the_schema_does_not_know(rollouts: Rollouts) -> None:
    rollouts.to(1)
    stored = rollouts.cluster.fetch()
    assert stored
    stored["spec"]["predictor"]["model"]["storageUrl"] = "s3://models/releases/release-2"
    with pytest.raises(ClusterError, match="storageUrl"):
        rollouts.cluster.replace(stored)


def test_kserves_own_client_reads_what_is_written_without_loss(
    api: KubernetesApi, ledger: Ledger, tmp_path: Path
) -> None:
    """In a process of its own: kserve cannot be imported beside tritonclient.grpc."""
    specs: list[dict[str, Any]] = []
    for mode in ("Standard", "Knative"):
        api.stored = None
        rollouts = Rollouts(api, ledger, tmp_path, mode)
        rollouts.to(1)
        rollouts.to(1, 2)
        assert api.stored
        specs.append(api.stored["spec"])
    done = subprocess.run(
        [sys.executable, "-c", READ_AND_WRITE],
        input=json.dumps(specs),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == specs


READ_AND_WRITE = """
import json, sys
from types import SimpleNamespace
from kserve import ApiClient

client = ApiClient()
read = [
    client.deserialize(SimpleNamespace(data=json.dumps(spec)), "V1beta1InferenceServiceSpec")
    for spec in json.load(sys.stdin)
]
print(json.dumps(client.sanitize_for_serialization(read)))
"""


def test_the_command_publishes_the_releases_and_changes_the_service(
    api: KubernetesApi, toy_releases: ToyReleases, mlflow_server: str, tmp_path: Path
) -> None:
    registry = toy_releases.registry
    champion, challenger = toy_releases.number(FIRST), toy_releases.forge(toy_releases.number(SECOND))
    template = tmp_path / "inferenceservice.yaml"
    template.write_text(yaml.safe_dump(documented_template()))
    api.reads_until_ready = 1
    with s3_server() as s3:
        s3.reset()  # moto's servers in one process share their buckets
        environment = os.environ | CREDENTIALS
        environment |= {
            "AWS_ENDPOINT_URL": s3.url,
            "HILUM_HOME": str(tmp_path / "home"),
            "HILUM_MLFLOW_URI": mlflow_server,
            "HILUM_HAND_MOVED_ALIASES": "adopt",
        }
        registry.set_alias(SCREENING, "champion", champion)
        registry.set_alias(SCREENING, "challenger", challenger)
        command: list[str | Path] = [
            *(sys.executable, "-m", "hilum", "rollout", "kserve", "--namespace", "models", "--json"),
            *("--storage", STORAGE, "--template", template, "--kubeconfig", api.kubeconfig(tmp_path)),
        ]
        try:
            refused = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert f"No gate has judged release {challenger}." in " ".join(refused.stderr.split())
            assert (api.stored, s3.written()) == (None, [])
            with Ledger(f"sqlite:///{tmp_path / 'home' / 'ledger.db'}") as opened:
                judge(registry, opened, challenger, against=champion)
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        finally:
            registry.delete_alias(SCREENING, "challenger")
        assert done.returncode == 0, done.stderr
        record = json.loads(done.stdout)
        assert (record["champion"], record["challenger"], record["percent"]) == (champion, challenger, 10)
        assert api.stored
        assert api.stored["spec"]["predictor"]["model"]["storageUri"] == f"{STORAGE}/release-{champion}"
        s3_objects = s3.objects()
        for release in (champion, challenger):
            folder = tmp_path / f"release-{release}"
            for key, content in s3_objects.items():
                if key.startswith(f"releases/release-{release}/"):
                    path = folder / key.removeprefix(f"releases/release-{release}/")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
            assert lint_repository(folder) == []
            assert (folder / SCREENING / str(release)).is_dir()
