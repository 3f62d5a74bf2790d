"""`hilum train`, `evaluate` and `export` as commands, against a real MLflow server."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import mlflow
import pytest

from tests.support.commands import run, start
from tests.support.data import REPOSITORY
from training.ledger.ledger import Ledger

RECIPE = REPOSITORY / "tests/support/tiny.yaml"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training") / "data"
    status, _, stderr = run("data", "synth", folder, "--patients", "60", home=folder.parent, uri="unused")
    assert status == 0, stderr
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def trained(data: Path, home: Path, mlflow_server: str) -> dict[str, Any]:
    """The classifier's training, once for this module: what `--json` printed."""
    status, stdout, stderr = run(
        "train", "classifier", "--data", data, "--recipe", RECIPE, "--json", home=home, uri=mlflow_server
    )
    assert status == 0, stderr
    record: dict[str, Any] = json.loads(stdout)
    return record


def test_a_run_holds_all_that_repeats_it(trained: dict[str, Any], mlflow_server: str, home: Path) -> None:
    client = mlflow.MlflowClient(mlflow_server)
    found = client.get_run(trained["run_id"])
    assert found.info.status == "FINISHED"
    for tag in ("hilum.data_digest", "hilum.decoder_digest", "hilum.git_revision", "hilum.version.torch"):
        assert found.data.tags[tag], tag
    assert found.data.params["seed"] == "0"
    assert found.data.params["backbone.name"] == "mobilenetv1_100"
    for metric in ("train_loss", "val_loss", "val_auroc", "learning_rate"):
        assert len(client.get_metric_history(trained["run_id"], metric)) == 3, metric
    artifacts = {file.path for file in client.list_artifacts(trained["run_id"])}
    assert {"recipe.yaml", "checkpoint", "training_curves.png", "evaluation"} <= artifacts
    logged = {file.path for file in client.list_artifacts(trained["run_id"], "evaluation/val")}
    assert {"evaluation/val/confusion_matrix.png", "evaluation/val/table.csv"} <= logged
    assert float(found.data.tags["hilum.temperature"]) > 0
    assert not list((home / "training").iterdir()), "checkpoints outlive a complete run"


def test_evaluate_logs_to_the_run_and_prints_intervals(
    trained: dict[str, Any], data: Path, home: Path, mlflow_server: str
) -> None:
    status, stdout, stderr = run(
        "evaluate", "classifier", "--data", data, "--json", "--bootstrap", "200", home=home, uri=mlflow_server
    )
    assert status == 0, stderr
    record = json.loads(stdout)
    assert record["run_id"] == trained["run_id"]
    headline = record["headline"]
    assert headline["n"] == record["n_images"]
    assert headline["value"] is not None
    status, stdout, _ = run("evaluate", "classifier", "--data", data, home=home, uri=mlflow_server)
    assert status == 0
    assert "covid19" in stdout
    client = mlflow.MlflowClient(mlflow_server)
    logged = {file.path for file in client.list_artifacts(trained["run_id"], "evaluation/test")}
    stored = ("result.json", "predictions.csv", "thresholds.csv", "embeddings.npz")
    assert {f"evaluation/test/{name}" for name in stored} <= logged


def test_export_registers_with_lineage_and_parity(
    trained: dict[str, Any], data: Path, home: Path, mlflow_server: str
) -> None:
    status, stdout, stderr = run(
        "export", "classifier", "--data", data, "--json", home=home, uri=mlflow_server
    )
    assert status == 0, stderr
    record = json.loads(stdout)
    assert {row["batch"] for row in record["parity"]} == {1, 2, 5}
    client = mlflow.MlflowClient(mlflow_server)
    version = client.get_model_version("xray_classifier", str(record["version"]))
    assert version.run_id == trained["run_id"]
    assert version.tags["hilum.sha256"] == record["sha256"]
    assert version.tags["hilum.map_size"] == "2x2"
    assert set(json.loads(version.tags["hilum.operating_point"])) == {"lung_opacity", "covid19"}
    artifacts = {file.path for file in client.list_artifacts(trained["run_id"])}
    assert "parity.csv" in artifacts
    with Ledger(f"sqlite:///{home / 'ledger.db'}") as ledger:
        entry = ledger.newest("registered")
    assert entry is not None
    assert entry.facts == {key: record[key] for key in ("model", "version", "sha256", "run_id")}


def test_an_interrupted_run_goes_on_where_it_was(data: Path, tmp_path: Path, mlflow_server: str) -> None:
    command = ("train", "filter", "--data", data, "--recipe", RECIPE, "--epochs", "6", "--json")
    process = start(*command, home=tmp_path, uri=mlflow_server)
    deadline = time.monotonic() + 240
    while not list(tmp_path.glob("training/*/last.ckpt")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.3)  # past the writing of the checkpoint, whose C++ swallows an interrupt
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert "Interrupted" in stderr
    run_id = json.loads(next(tmp_path.glob("training/*/run.json")).read_text())["run_id"]
    client = mlflow.MlflowClient(mlflow_server)
    assert client.get_run(run_id).info.status == "KILLED"

    status, _, stderr = run(
        "evaluate", "filter", "--data", data, "--run", run_id, home=tmp_path, uri=mlflow_server
    )
    assert status == 2, "a run that was cut short was taken for whole"
    assert "did not finish" in stderr

    status, stdout, stderr = run(*command, home=tmp_path, uri=mlflow_server)
    assert status == 0, stderr
    assert "Going on from" in stderr
    assert json.loads(stdout)["run_id"] == run_id
    steps = [metric.step for metric in client.get_metric_history(run_id, "val_loss")]
    assert steps == [0, 1, 2, 3, 4, 5], "an epoch was trained twice or left out"


def test_a_dead_mlflow_is_said_at_once(data: Path, tmp_path: Path) -> None:
    start = time.monotonic()
    status, _, stderr = run(
        "train", "filter", "--data", data, "--recipe", RECIPE, home=tmp_path, uri="http://127.0.0.1:9"
    )
    assert status == 4
    assert "MLflow does not answer at http://127.0.0.1:9" in stderr
    assert "hilum up" in stderr
    assert time.monotonic() - start < 60


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_class_without_images_is_refused(
    split: str, data: Path, tmp_path: Path, mlflow_server: str
) -> None:
    table = (data / "metadata.csv").read_text().splitlines()
    kept = [line for line in table if not ("covid19" in line and line.split(",")[-1].strip() == split)]
    assert len(kept) < len(table)
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "images").symlink_to(data / "images")
    (folder / "metadata.csv").write_text("\n".join(kept) + "\n")
    status, _, stderr = run(
        "train", "classifier", "--data", folder, "--recipe", RECIPE, home=tmp_path, uri=mlflow_server
    )
    assert status == 2
    assert f"covid19 in split {split}" in stderr


def test_weights_that_cannot_be_downloaded_say_how_to_get_them(
    data: Path, tmp_path: Path, mlflow_server: str
) -> None:
    status, _, stderr = run(
        "train",
        "filter",
        "--data",
        data,
        "--recipe",
        RECIPE,
        "--weights",
        "nowhere.pt",
        home=tmp_path,
        uri=mlflow_server,
    )
    assert status == 2
    assert "found no file nowhere.pt" in stderr


def test_a_full_disk_is_said_and_leaves_no_half_checkpoint(
    trained: dict[str, Any], data: Path, home: Path, mlflow_server: str
) -> None:
    """The kernel ends every file at 1 MB, as a full disk would: a checkpoint is larger."""
    command = ("train", "classifier", "--data", data, "--recipe", RECIPE, "--seed", "7", "--json")

    def end_files_early() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))

    full = subprocess.run(
        [sys.executable, "-m", "hilum", *map(str, command)],
        env=os.environ | {"HILUM_HOME": str(home), "HILUM_MLFLOW_URI": mlflow_server},
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=end_files_early,
    )
    assert full.returncode == 1, full.stderr
    assert "File too large" in full.stderr
    assert "Traceback" not in full.stderr
    assert not list(home.glob("training/*/*.ckpt"))

    status, stdout, stderr = run(*command, home=home, uri=mlflow_server)
    assert status == 0, stderr
    steps = mlflow.MlflowClient(mlflow_server).get_metric_history(json.loads(stdout)["run_id"], "val_loss")
    assert len({metric.step for metric in steps}) == 3


def test_a_report_is_one_page_and_its_json(
    trained: dict[str, Any], data: Path, home: Path, mlflow_server: str, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    command = ("report", "classifier", "--run", trained["run_id"], "--split", "val", "--bootstrap", "100")
    status, stdout, stderr = run(
        *command, "--data", data, "--out", page, "--json", home=home, uri=mlflow_server
    )
    assert status == 0, stderr
    record = json.loads(stdout)
    assert record["evaluation"]["n_images"] == trained["n_images"]
    assert record["model_card"]["run_id"] == trained["run_id"]
    assert {example["label"] for example in record["examples"]} == {"no_finding", "lung_opacity", "covid19"}
    assert "Where it looked" in page.read_text()
    client = mlflow.MlflowClient(mlflow_server)
    logged = {file.path for file in client.list_artifacts(trained["run_id"], "report/val")}
    assert logged == {"report/val/report.html", "report/val/report.json"}

    status, _, stderr = run("report", "classifier", "--split", "train", home=home, uri=mlflow_server)
    assert status == 2
    assert "hilum evaluate classifier --data DIR --split train" in stderr
