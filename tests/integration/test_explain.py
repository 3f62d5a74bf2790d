"""`hilum explain` as a command, on a network that it finds in a real MLflow server."""

import json
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from PIL import Image

from hilum.contract import LABELS
from tests.support.commands import run
from tests.support.data import REPOSITORY

RECIPE = REPOSITORY / "tests/support/tiny.yaml"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def data(home: Path) -> Path:
    folder = home / "data"
    status, _, stderr = run("data", "synth", folder, "--patients", "30", home=home, uri="unused")
    assert status == 0, stderr
    return folder


@pytest.fixture(scope="module")
def run_id(data: Path, home: Path, mlflow_server: str) -> str:
    """The run that trained a tiny classifier, once for this module."""
    command = ("train", "classifier", "--data", data, "--recipe", RECIPE, "--epochs", "1", "--json")
    status, stdout, stderr = run(*command, home=home, uri=mlflow_server)
    assert status == 0, stderr
    return str(json.loads(stdout)["run_id"])


def test_explain_draws_logs_and_checks(
    run_id: str, data: Path, home: Path, mlflow_server: str, tmp_path: Path
) -> None:
    options = ("--method", "occlusion", "--images", "2", "--occluder-px", "128", "--stride-px", "128")
    command = ("explain", "classifier", "--data", data, "--run", run_id, *options, "--sanity", "--json")
    status, stdout, stderr = run(*command, "--out", tmp_path, home=home, uri=mlflow_server)
    assert status == 0, stderr
    record: dict[str, Any] = json.loads(stdout)
    assert record["run_id"] == run_id
    assert [summary["label"] for summary in record["classes"]] == list(LABELS)
    assert len(record["images"]) == sum(summary["n_images"] for summary in record["classes"]) == 6
    assert all(image["squares"] == 4 for image in record["images"])
    assert [stage["name"] for stage in record["sanity"]["stages"]][-1] == "all weights"
    assert record["sanity"]["agreement"]["CAM and Grad-CAM"]["value"] == pytest.approx(1, abs=0.01)

    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    pictures = {image["file"] for image in record["images"]} | {f"contact_{label}.png" for label in LABELS}
    assert written == pictures | {"table.csv"}
    for name in pictures:
        with Image.open(tmp_path / name) as picture:
            picture.load()
            assert picture.width >= 380

    folder = "explanations/occlusion/test"
    client = mlflow.MlflowClient(mlflow_server)
    logged = {file.path for file in client.list_artifacts(run_id, folder) if not file.is_dir}
    contacts = {f"{folder}/contact_{label}.png" for label in LABELS}
    assert logged == contacts | {f"{folder}/table.csv", f"{folder}/result.json"}
    overlays = {file.path for label in LABELS for file in client.list_artifacts(run_id, f"{folder}/{label}")}
    assert overlays == {f"{folder}/{image['file']}" for image in record["images"]}
    table = pd.read_csv(tmp_path / "table.csv")
    assert table["file"].tolist() == [image["file"] for image in record["images"]]


def test_explain_prints_a_table_and_keeps_other_data_apart(
    run_id: str, data: Path, home: Path, mlflow_server: str, tmp_path: Path
) -> None:
    other = tmp_path / "ward 7"
    other.mkdir()
    (other / "images").symlink_to(data / "images")
    lines = (data / "metadata.csv").read_text().splitlines(keepends=True)
    (other / "metadata.csv").write_text("".join(line for line in lines if "train" not in line))
    command = ("explain", "classifier", "--data", other, "--images", "1", "--split", "val")
    status, stdout, stderr = run(*command, home=home, uri=mlflow_server)
    assert status == 0, stderr
    assert "Evidence by CAM for the reported class" in stdout
    assert all(f" {label} " in stdout for label in LABELS)
    (folder,) = (home / "explanations" / run_id / "cam" / "external").glob("ward_7-*/val")
    assert len(list(folder.glob("*/*.png"))) == 3
    assert str(folder) in stderr
