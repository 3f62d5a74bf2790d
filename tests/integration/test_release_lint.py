"""Releases looked at without a server: what is wrong is named, and what is right passes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlflow
import pytest
from click.testing import CliRunner

from hilum.contract import CLASSIFIER, FILTER, SCREENING
from hilum.errors import UsageError
from hilum.settings import settings
from tests.support.ledgers import sqlite_url
from tests.support.rollout_site import ToyReleases
from tests.support.signed_answers import FIRST, SECOND
from tests.support.toy_models import toy_classifier
from tests.support.toy_release import save_onnx
from training.commands.release import release as release_command
from training.errors import RepositoryError
from training.promote.release import fetch_release
from training.promote.release_lint import lint_release
from training.registry import RELEASE_FOLDER


def problems(releases: ToyReleases, number: int, **options: Any) -> list[str]:
    defects = lint_release(releases.registry, number, **options)
    assert all(defect.file and defect.remedy.endswith((".", "DIR", "again")) for defect in defects)
    return [f"{defect.file}: {defect.problem}" for defect in defects]


def test_a_good_release_has_no_defect(toy_releases: ToyReleases, tmp_path: Path) -> None:
    number = toy_releases.number(FIRST)
    assert problems(toy_releases, number) == []
    assert problems(toy_releases, number, triton="26.08", repository=tmp_path) == []


def test_a_server_that_is_too_old_for_a_network_is_named(toy_releases: ToyReleases) -> None:
    release = fetch_release(toy_releases.registry, number := toy_releases.number(FIRST)).release
    assert problems(toy_releases, number, triton="24.04") == [
        f"{model}/{version}/model.onnx: Its IR version is 10; Triton 24.04 (ONNX Runtime 1.17.3) is sure to "
        "read up to 9."
        for model, version in ((CLASSIFIER, release.classifier.version), (FILTER, release.filter.version))
    ]
    with pytest.raises(UsageError, match=r"Triton 19.03 .* is not known here"):
        lint_release(toy_releases.registry, number, triton="19.03")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"labels": ("no_finding", "covid19", "lung_opacity")}, "Its labels are ['no_finding', 'covid19'"),
        ({"decoder_digest": "11" * 32}, "made for another decoder (111111111111) than this installation's"),
        ({"thresholds": {"lung_opacity": 0.4}}, "An operating point needs a threshold for each of"),
        ({"thresholds": {"lung_opacity": 0.4, "covid19": 1.4}}, "threshold of covid19 must lie in (0, 1]"),
        ({"golden_cases": ()}, "It has no golden case"),
        ({"embedding_size": 9}, "the network's shape without the batch axis is [8], configured is [9]"),
        ({"map_size": (4, 5)}, "is [3, 4, 4], configured is [3, 4, 5]"),
    ],
)
def test_a_record_that_does_not_fit_is_named(
    toy_releases: ToyReleases, change: dict[str, object], problem: str
) -> None:
    number = toy_releases.forge(toy_releases.number(FIRST), **change)
    assert any(problem in found for found in problems(toy_releases, number)), problems(toy_releases, number)


def test_a_promise_that_the_networks_do_not_keep_is_named(toy_releases: ToyReleases) -> None:
    first = fetch_release(toy_releases.registry, number := toy_releases.number(FIRST)).release
    liar = first.golden_cases[0].model_copy(update={"valid_probability": 0.999})
    forged = toy_releases.forge(number, golden_cases=(liar, *first.golden_cases[1:]))
    (problem,) = problems(toy_releases, forged)
    assert "It promises what its networks do not answer: golden/0.png: valid_probability is" in problem


def test_a_network_that_is_not_the_pinned_one_is_named(toy_releases: ToyReleases) -> None:
    first = fetch_release(toy_releases.registry, number := toy_releases.number(FIRST)).release
    forged = toy_releases.forge(number, filter=first.filter.model_copy(update={"sha256": "00" * 32}))
    assert "is not the network that the release pins" in "".join(problems(toy_releases, forged))
    missing = toy_releases.forge(number, filter=first.filter.model_copy(update={"version": 999}))
    assert "xray_filter has no version 999" in "".join(problems(toy_releases, missing))


def test_a_network_of_a_newer_opset_than_servers_read_is_named(toy_releases: ToyReleases) -> None:
    network = toy_classifier()
    network.opset_import[0].version = 22
    (problem,) = problems(toy_releases, toy_releases.with_classifier(network, {}))
    assert "Its opset is 22; Triton 24.10 (ONNX Runtime 1.19.2) is sure to read up to 21." in problem


def test_a_version_number_that_is_taken_in_the_repository_is_named(
    toy_releases: ToyReleases, tmp_path: Path
) -> None:
    number = toy_releases.number(FIRST)
    version = fetch_release(toy_releases.registry, number).release.filter.version
    other = tmp_path / FILTER / str(version) / "model.onnx"
    save_onnx(toy_classifier(), other)
    (problem,) = problems(toy_releases, number, repository=tmp_path)
    assert f"{other} is another network" in problem
    assert "two registries wrote into one repository" in problem


@pytest.mark.parametrize("name", ["release.json", "golden/0.png"])
def test_an_artifact_that_was_changed_is_named(toy_releases: ToyReleases, tmp_path: Path, name: str) -> None:
    number = toy_releases.forge(toy_releases.number(FIRST))
    forged = tmp_path / name
    forged.parent.mkdir(parents=True, exist_ok=True)
    forged.write_text("{}")
    run_id = toy_releases.registry.version(SCREENING, number).run_id
    mlflow.MlflowClient().log_artifact(run_id, str(forged), str(Path(RELEASE_FOLDER, name).parent))
    (problem,) = problems(toy_releases, number)
    assert problem.startswith(f"release.json: {'The golden case' if 'golden' in name else name}")


def test_the_commands_lint_and_diff(
    toy_releases: ToyReleases, mlflow_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HILUM_MLFLOW_URI", mlflow_server)
    monkeypatch.setenv("HILUM_HOME", str(tmp_path))
    monkeypatch.setenv("HILUM_LEDGER_URL", sqlite_url(tmp_path))
    settings.cache_clear()

    def run(*arguments: str) -> str:
        return CliRunner().invoke(release_command, arguments, catch_exceptions=False).stdout

    first, second = toy_releases.number(FIRST), toy_releases.number(SECOND)
    assert run("lint", str(first)) == f"Release {first}: Triton 24.10 can serve it.\n"
    with pytest.raises(RepositoryError, match=rf"Release {first} has 2 defect\(s\)"):
        run("lint", str(first), "--triton", "24.04")
    difference = json.loads(run("diff", str(first), str(second), "--json"))
    changed: Sequence[str] = [change["what"] for change in difference["changes"]]
    assert "filter SHA-256" in changed
    assert "filter threshold" in changed
    assert difference["golden_changes"]
    table = run("diff", str(first), str(second))
    assert "filter threshold" in table
    assert "golden case" in table
    assert run("diff", str(first), str(first)) == f"Releases {first} and {first} are the same.\n"
    settings.cache_clear()
