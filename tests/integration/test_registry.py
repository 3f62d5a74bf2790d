"""The registry against a real MLflow server: what comes back is what was registered, or an error."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import mlflow
import numpy as np
import pytest
from click.testing import CliRunner

from hilum.contract import CLASSIFIER, FILTER, SCREENING
from hilum.errors import ServiceUnreachableError, UsageError
from hilum.settings import settings
from tests.support.ledgers import sqlite_url
from tests.support.toy_data import write_toy_data
from tests.support.toy_models import toy_filter
from tests.support.toy_registry import register_toy_classifier, register_toy_filter
from tests.support.toy_release import save_onnx
from training.commands.release import release as release_command
from training.errors import IntegrityError, UnknownVersionError
from training.ledger.ledger import Ledger
from training.promote.release import fetch_release, list_releases
from training.promote.release_creation import create_release
from training.registry import RELEASE_FOLDER, RegisteredVersion, Registry


@pytest.fixture
def registry(mlflow_server: str) -> Registry:
    return Registry(mlflow_server)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(sqlite_url(tmp_path)) as ledger:
        yield ledger


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_toy_data(tmp_path / "data")


def replace_artifact(version: RegisteredVersion, path: Path) -> None:
    """Overwrite a registered network in the artifact store, as an intruder would."""
    client = mlflow.MlflowClient()
    source = client.get_model_version(version.name, str(version.number)).source
    assert source
    client.log_model_artifact(source.removeprefix("models:/"), str(path))


def test_a_network_comes_back_as_it_was_registered(registry: Registry, tmp_path: Path) -> None:
    first = register_toy_filter(registry, tmp_path)
    second = register_toy_filter(registry, tmp_path, threshold=0.2)
    assert second.number == first.number + 1
    assert registry.version(FILTER) == second
    assert registry.version(FILTER, first.number) == first
    assert second.tags["hilum.threshold"] == "0.2"
    path = registry.download_onnx(second, tmp_path / "downloads")
    assert path.read_bytes() == (tmp_path / "filter.onnx").read_bytes()


def test_the_signature_is_that_of_the_graph(registry: Registry, tmp_path: Path) -> None:
    version = register_toy_classifier(registry, tmp_path)
    signature = mlflow.models.get_model_info(f"models:/{version.name}/{version.number}").signature
    assert signature is not None
    assert {spec.name: (spec.type, spec.shape) for spec in signature.inputs} == {
        "radiograph": (np.dtype(np.uint8), (-1, 1, 256, 256)),
        "accepted": (np.dtype(np.bool_), (-1, 1)),
    }
    assert {spec.name: spec.shape for spec in signature.outputs} == {
        "probabilities": (-1, 3),
        "activation_map": (-1, 3, 4, 4),
        "embedding": (-1, 8),
    }


def test_a_tampered_network_is_refused(registry: Registry, tmp_path: Path) -> None:
    version = register_toy_filter(registry, tmp_path)
    replace_artifact(version, save_onnx(toy_filter(0.9), tmp_path / "forged" / "model.onnx"))
    with pytest.raises(IntegrityError, match=f"xray_filter version {version.number} is not the one"):
        registry.download_onnx(version, tmp_path / "downloads")
    assert not (tmp_path / "downloads").exists()


def test_what_does_not_exist_is_named(registry: Registry, tmp_path: Path) -> None:
    register_toy_filter(registry, tmp_path)
    with pytest.raises(UnknownVersionError, match="xray_filter has no version 999; its newest is"):
        registry.version(FILTER, 999)
    with pytest.raises(UnknownVersionError, match="no version of nothing"):
        registry.version("nothing")
    assert registry.versions("nothing") == []
    assert registry.aliases("nothing") == {}


def test_a_server_that_is_down_is_named_in_seconds() -> None:
    start = time.monotonic()
    with pytest.raises(ServiceUnreachableError, match=r"MLflow does not answer at .* `hilum up --detach`"):
        Registry("http://127.0.0.1:9")
    assert time.monotonic() - start < 10


def test_a_release_comes_back_as_it_was_created(
    registry: Registry, ledger: Ledger, data: Path, tmp_path: Path
) -> None:
    screen_filter = register_toy_filter(registry, tmp_path, threshold=0.11)
    classifier = register_toy_classifier(registry, tmp_path, gain=3.0, tags={"hilum.temperature": "1.7"})
    number, release, is_new = create_release(registry, ledger, data, who="Ada")
    assert is_new
    assert (release.filter.version, release.classifier.version) == (screen_filter.number, classifier.number)
    assert release.filter.sha256 == screen_filter.tags["hilum.sha256"]
    assert release.filter_threshold == 0.11
    assert (release.filter.temperature, release.classifier.temperature) == (1.0, 1.7)
    stored = fetch_release(registry, number)
    assert stored.release == release
    assert stored.release.digest == release.digest
    assert sorted(stored.golden_files) == [f"golden/{index}.png" for index in range(6)]
    assert [case.accepted for case in release.golden_cases] == [True] * 3 + [False] * 3
    (line,) = [line for line in list_releases(registry) if line.number == number]
    assert (line.filter_version, line.classifier_version) == (screen_filter.number, classifier.number)
    assert line.digest == release.digest


def test_the_same_release_is_stored_once(
    registry: Registry, ledger: Ledger, data: Path, tmp_path: Path
) -> None:
    screen_filter = register_toy_filter(registry, tmp_path)
    classifier = register_toy_classifier(registry, tmp_path)
    first = create_release(registry, ledger, data, who="Ada")
    register_toy_filter(registry, tmp_path, threshold=0.3)
    again = create_release(
        registry,
        ledger,
        data,
        who="Ada",
        filter_version=screen_filter.number,
        classifier_version=classifier.number,
    )
    other = create_release(registry, ledger, data, who="Ada")
    assert (first[2], again[2], other[2]) == (True, False, True)
    assert again[0] == first[0]
    assert again[1].digest == first[1].digest
    assert other[0] == first[0] + 1
    recorded = [(entry.who, entry.facts["release"]) for entry in ledger.entries() if entry.kind == "released"]
    assert recorded == [("Ada", first[0]), ("Ada", other[0])]


def test_a_release_whose_creation_was_cut_short_before_the_record_is_recorded_by_the_next(
    registry: Registry, ledger: Ledger, data: Path, tmp_path: Path
) -> None:
    register_toy_filter(registry, tmp_path, threshold=0.12)
    register_toy_classifier(registry, tmp_path)
    with Ledger(sqlite_url(tmp_path / "lost")) as lost:
        number, release, _ = create_release(registry, lost, data, who="Ada")
    assert create_release(registry, ledger, data, who="Grace")[2] is False
    entry = list(ledger.entries())[-1]
    assert (entry.kind, entry.who) == ("released", "Grace")
    assert (entry.facts["release"], entry.facts["digest"]) == (number, release.digest)


@pytest.mark.parametrize(
    ("tag", "value", "problem"),
    [
        ("hilum.parity", "failed", "no proof that ONNX Runtime answers as PyTorch"),
        ("hilum.decoder_digest", "11" * 32, "made for another decoder"),
    ],
)
def test_a_network_that_may_not_serve_is_refused(
    registry: Registry, ledger: Ledger, data: Path, tmp_path: Path, tag: str, value: str, problem: str
) -> None:
    register_toy_filter(registry, tmp_path)
    version = register_toy_classifier(registry, tmp_path, tags={tag: value})
    with pytest.raises(UsageError, match=f"xray_classifier version {version.number} .*{problem}"):
        create_release(registry, ledger, data, who="Ada")


def test_a_registration_that_the_ledger_lost_is_recorded_with_the_release(
    registry: Registry, ledger: Ledger, data: Path, tmp_path: Path
) -> None:
    """As after a crash between MLflow's write and the ledger's."""
    networks = [register_toy_filter(registry, tmp_path), register_toy_classifier(registry, tmp_path)]
    for _ in range(2):
        create_release(registry, ledger, data, who="Ada")
    found = [entry.facts for entry in ledger.entries() if entry.kind == "registered"]
    assert [(each["model"], each["version"], each["sha256"]) for each in found] == [
        (network.name, network.number, network.tag("hilum.sha256")) for network in networks
    ]


def test_a_network_that_somebody_registered_by_hand_is_refused(
    registry: Registry, ledger: Ledger, data: Path, tmp_path: Path
) -> None:
    run_id = register_toy_classifier(registry, tmp_path).run_id
    client = mlflow.MlflowClient()
    source = client.get_run(run_id).info.artifact_uri
    assert source
    stranger = client.create_model_version(CLASSIFIER, source, run_id=run_id)
    register_toy_filter(registry, tmp_path)
    with pytest.raises(UnknownVersionError, match="not registered by Hilum"):
        create_release(registry, ledger, data, who="Ada", classifier_version=int(stranger.version))


@pytest.mark.parametrize("name", ["release.json", "golden/0.png"])
def test_a_tampered_release_is_refused(
    registry: Registry, ledger: Ledger, data: Path, tmp_path: Path, name: str
) -> None:
    register_toy_filter(registry, tmp_path)
    register_toy_classifier(registry, tmp_path)
    number, _, _ = create_release(registry, ledger, data, who="Ada")
    forged = tmp_path / "forged" / name
    forged.parent.mkdir(parents=True)
    forged.write_text("{}")
    run_id = registry.version(SCREENING, number).run_id
    mlflow.MlflowClient().log_artifact(run_id, str(forged), str(Path(RELEASE_FOLDER, name).parent))
    with pytest.raises(IntegrityError, match=name):
        fetch_release(registry, number)


def test_the_commands_print_one_json_object_per_line(
    registry: Registry, data: Path, tmp_path: Path, mlflow_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HILUM_MLFLOW_URI", mlflow_server)
    monkeypatch.setenv("HILUM_LEDGER_URL", sqlite_url(tmp_path))
    settings.cache_clear()
    register_toy_filter(registry, tmp_path, threshold=0.07)
    register_toy_classifier(registry, tmp_path)

    def run(command: click.Command, *arguments: str) -> list[dict[str, Any]]:
        result = CliRunner().invoke(command, [*arguments, "--json"], catch_exceptions=False)
        return [json.loads(line) for line in result.stdout.splitlines()]

    (created,) = run(release_command, "create", "--data", str(data))
    number = created["release"]
    assert created["new"] is True
    registry.set_alias(SCREENING, "champion", number)
    listed = run(release_command, "list")
    assert [line["release"] for line in listed if "champion" in line["aliases"]] == [number]
    assert next(line["verdict"] for line in listed if line["release"] == number) is None
    (shown,) = run(release_command, "show", str(number))
    assert shown["digest"] == created["digest"]
    settings.cache_clear()
