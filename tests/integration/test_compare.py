"""`hilum compare` of two training runs, against a real MLflow server."""

import json
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from tests.support.commands import run
from tests.support.data import REPOSITORY
from training.evaluate.comparison import compare
from training.evaluate.predictions import load_predictions

RECIPE = REPOSITORY / "tests/support/tiny.yaml"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, mlflow_server: str) -> list[str]:
    """Two runs of one recipe with different seeds; training leaves the predictions of the split `val`."""
    folder = tmp_path_factory.mktemp("compare")
    data, home = folder / "data", folder / "home"
    status, _, stderr = run("data", "synth", data, "--patients", "40", home=home, uri="unused")
    assert status == 0, stderr
    found = []
    for seed in ("0", "1"):
        options = ("--data", data, "--recipe", RECIPE, "--epochs", "1", "--seed", seed, "--json")
        status, stdout, stderr = run("train", "classifier", *options, home=home, uri=mlflow_server)
        assert status == 0, stderr
        found.append(json.loads(stdout)["run_id"])
    return found


def test_two_runs_are_compared_by_their_stored_predictions(
    runs: list[str], tmp_path: Path, mlflow_server: str
) -> None:
    status, stdout, stderr = run(
        "compare", "classifier", *runs, "--split", "val", "--json", home=tmp_path, uri=mlflow_server
    )
    assert status == 0, stderr
    record = json.loads(stdout)
    assert (record["run_a"], record["run_b"], record["split"]) == (*runs, "val")
    assert record["verdict"]["sentence"]

    client = mlflow.MlflowClient(mlflow_server)
    a, b = (
        load_predictions(
            Path(client.download_artifacts(run_id, "evaluation/val/predictions.csv", str(tmp_path)))
        )
        for run_id in runs
    )
    expected = compare(a, b).headline
    assert record["headline"]["value"] == expected.value
    assert (record["headline"]["lower"], record["headline"]["upper"]) == (expected.lower, expected.upper)

    folder = f"comparison/{runs[1]}/val"
    logged = {Path(file.path).name for file in client.list_artifacts(runs[0], folder)}
    assert logged == {"result.json", "table.csv", "forest.png", "decision_curves.png"}
    table = pd.read_csv(client.download_artifacts(runs[0], f"{folder}/table.csv", str(tmp_path)))
    assert table.query("scope == 'all' and metric == 'macro_auroc'")["value"].item() == pytest.approx(
        expected.value
    )


def test_a_split_that_was_not_evaluated_is_refused(
    runs: list[str], tmp_path: Path, mlflow_server: str
) -> None:
    status, stdout, stderr = run("compare", "classifier", *runs, home=tmp_path, uri=mlflow_server)
    assert (status, stdout) == (2, "")
    assert f"hilum evaluate classifier --data DIR --split test --run {runs[0]}" in stderr
