"""`hilum evaluate` on another data set than the network was trained on, against a real MLflow server."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import mlflow
import pandas as pd
import pytest

from tests.support.commands import run
from tests.support.data import REPOSITORY

RECIPE = REPOSITORY / "tests/support/tiny.yaml"


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Hilum:
    """The `hilum` command with a state folder and an MLflow server of its own."""

    home: Path
    uri: str

    def __call__(self, *arguments: object) -> Done:
        return Done(*run(*map(str, arguments), home=self.home, uri=self.uri))


@pytest.fixture(scope="module")
def hilum(tmp_path_factory: pytest.TempPathFactory, mlflow_server: str) -> Hilum:
    return Hilum(tmp_path_factory.mktemp("home"), mlflow_server)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory, hilum: Hilum) -> tuple[Path, Path]:
    """The data set to train on, and another one."""
    folder = tmp_path_factory.mktemp("sets")
    for name, patients, seed in (("own", 40, 0), ("elsewhere", 17, 1)):
        done = hilum("data", "synth", folder / name, "--patients", patients, "--seed", seed)
        assert done.returncode == 0, done.stderr
    return folder / "own", folder / "elsewhere"


def test_the_drop_from_internal_to_external_data_is_told_and_logged(
    hilum: Hilum, sets: tuple[Path, Path], mlflow_server: str, tmp_path: Path
) -> None:
    own, elsewhere = sets
    done = hilum("train", "classifier", "--data", own, "--recipe", RECIPE, "--epochs", "1", "--json")
    assert done.returncode == 0, done.stderr
    run_id = json.loads(done.stdout)["run_id"]
    evaluate = ("evaluate", "classifier", "--run", run_id, "--bootstrap", "100", "--data")

    done = hilum(*evaluate, elsewhere)
    assert done.returncode == 0, done.stderr
    assert "From internal to external data" not in done.stdout
    assert f"hilum evaluate classifier --data TRAINING_DIR --run {run_id}" in done.stderr

    done = hilum(*evaluate, own, "--json")
    assert done.returncode == 0, done.stderr
    internal = json.loads(done.stdout)
    assert internal["is_external"] is False

    done = hilum(*evaluate, elsewhere, "--split", "all", "--json")
    assert done.returncode == 0, done.stderr
    external = json.loads(done.stdout)
    assert external["is_external"] is True
    films = pd.read_csv(elsewhere / "metadata.csv")["finding"].notna().sum()
    assert external["n_images"] == films > internal["n_images"]
    whole = [row for row in external["drop"] if row["scope"] == "all" and row["metric"] == "macro_auroc"]
    assert [row["internal"]["value"] for row in whole] == [internal["headline"]["value"]]
    assert [row["external"]["value"] for row in whole] == [external["headline"]["value"]]
    assert {row["scope"] for row in external["drop"]} > {"all"}, "no source of the external set"

    client = mlflow.MlflowClient(mlflow_server)
    (place,) = client.list_artifacts(run_id, "evaluation/external")
    assert place.path.startswith("evaluation/external/elsewhere-")
    files = {file.path for file in client.list_artifacts(run_id, f"{place.path}/all")}
    assert {f"{place.path}/all/{name}" for name in ("result.json", "drop.csv", "predictions.csv")} <= files
    table = pd.read_csv(client.download_artifacts(run_id, f"{place.path}/all/drop.csv", str(tmp_path)))
    assert len(table) == len(external["drop"])
    record = Path(client.download_artifacts(run_id, "evaluation/test/result.json", str(tmp_path)))
    kept = json.loads(record.read_text())
    assert kept["data_digest"] == internal["data_digest"], "the external result took the internal one's place"

    done = hilum(*evaluate, own, "--split", "all")
    assert done.returncode == 2
    assert "was trained on" in done.stderr
