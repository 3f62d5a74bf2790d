"""Training on two processes, and training that is cut short: the same losses as of one that ran through."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import psutil
import pytest
import yaml

from tests.support.commands import Command, run, start
from training.train.checkpoint import WholeCheckpoints

# SiLU and float32: where a ReLU sits at zero, the last bit of a sum decides about a gradient.
RECIPE = """
source: tests
classifier:
  first_stage:
    classes: {no_finding: [no_finding], lung_opacity: [lung_opacity, covid19]}
    budget: {epochs: 2}
  backbone: { name: efficientnet_b0, cut_after: blocks.1, channels: 1, image_size_px: 48 }
  loss: { class_weights: rarer_more, label_smoothing: 0.1 }
  optimizer: { name: adamw, learning_rate: 2.0e-3 }
  schedule: { name: cosine }
  budget: { epochs: 5, small_first: [[0.3, 32]] }
  augmentation: { crop_area: [0.8, 1.0], rotation_deg: 5, horizontal_flip: 0.5 }
  batch_size: 16
  precision: "32"
  averaged_weights: 0.9
  select_by: val_auroc
"""
EPOCHS = 5
METRICS = ("train_loss", "val_loss", "val_auroc", "learning_rate")
TOLERANCE = {"train_loss": 1e-3, "val_loss": 1e-3, "val_auroc": 0.02, "learning_rate": 1e-9}

Curves = dict[str, list[float]]
Process = subprocess.Popen[str] | Command


def torchrun(*arguments: str | Path, home: Path, uri: str) -> subprocess.Popen[str]:
    """Start a `hilum` command as two processes."""
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "hilum"]
    return subprocess.Popen(
        [sys.executable, "-m", *launcher, *map(str, arguments)],
        env=os.environ | {"HILUM_HOME": str(home), "HILUM_MLFLOW_URI": uri},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@contextmanager
def ended(process: Process) -> Iterator[Process]:
    """Leave no process of a failed test behind."""
    try:
        yield process
    finally:
        if process.poll() is None:
            workers = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            for worker in workers:
                worker.kill()
            process.communicate()


def changed(folder: Path, **changes: object) -> Path:
    """Write the recipe with other settings of its network."""
    content = yaml.safe_load(RECIPE)
    content["classifier"] |= changes
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def curves(run_id: str, uri: str) -> Curves:
    """Return each metric by epoch; an epoch that is missing or logged twice fails the test."""
    client = mlflow.MlflowClient(uri)
    found = {}
    for metric in METRICS:
        history = client.get_metric_history(run_id, metric)
        assert [entry.step for entry in history] == list(range(len(history))), metric
        found[metric] = [entry.value for entry in history]
    return found


def assert_same(found: Curves, expected: Curves) -> None:
    for metric, tolerance in TOLERANCE.items():
        assert found[metric] == pytest.approx(expected[metric], abs=tolerance), metric


def first_stage(run_id: str, uri: str) -> str:
    """Return the one child of a two-stage run."""
    client = mlflow.MlflowClient(uri)
    experiment = client.get_run(run_id).info.experiment_id
    (child,) = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run_id}'")
    return str(child.info.run_id)


def wait_until(condition: Callable[[], object], process: Process) -> None:
    """Wait for something that a running command brings about."""
    deadline = time.monotonic() + 240
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def run_of(home: Path) -> str:
    """Return the id of the run that is cut short in `home`."""
    (record,) = home.glob("training/*/run.json")
    return str(json.loads(record.read_text())["run_id"])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("distributed") / "data"
    status, _, stderr = run("data", "synth", folder, "--patients", "60", home=folder.parent, uri="unused")
    assert status == 0, stderr
    return folder


@pytest.fixture(scope="module")
def command(data: Path) -> list[str | Path]:
    recipe = data.with_name("two_stage.yaml")
    recipe.write_text(RECIPE)
    return ["train", "classifier", "--data", data, "--recipe", recipe, "--device", "cpu", "--json"]


@pytest.fixture(scope="module")
def alone(
    command: list[str | Path], mlflow_server: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Curves, Curves]:
    """First and second stage of one process that ran through."""
    status, stdout, stderr = run(*command, home=tmp_path_factory.mktemp("alone"), uri=mlflow_server)
    assert status == 0, stderr
    run_id = json.loads(stdout)["run_id"]
    stages = curves(first_stage(run_id, mlflow_server), mlflow_server), curves(run_id, mlflow_server)
    assert [len(stage["val_loss"]) for stage in stages] == [2, EPOCHS]
    return stages


def test_two_processes_train_as_one_does(
    command: list[str | Path], alone: tuple[Curves, Curves], mlflow_server: str, tmp_path: Path
) -> None:
    with ended(torchrun(*command, home=tmp_path, uri=mlflow_server)) as process:
        stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    (line,) = stdout.splitlines()
    run_id = json.loads(line)["run_id"]
    assert_same(curves(first_stage(run_id, mlflow_server), mlflow_server), alone[0])
    assert_same(curves(run_id, mlflow_server), alone[1])
    assert stderr.count("epoch 1 ") == 2, "one line for each stage, from one process"
    found = mlflow.MlflowClient(mlflow_server).get_run(run_id)
    assert found.info.status == "FINISHED"
    assert found.data.tags["hilum.complete"] == "true"
    assert not list((tmp_path / "training").iterdir()), "checkpoints outlive a complete run"


def test_a_process_that_is_killed_ends_all_and_one_alone_goes_on(
    command: list[str | Path], alone: tuple[Curves, Curves], mlflow_server: str, tmp_path: Path
) -> None:
    with ended(torchrun(*command, home=tmp_path, uri=mlflow_server)) as process:
        wait_until(lambda: list(tmp_path.glob("training/*/last.ckpt")), process)
        workers = psutil.Process(process.pid).children()
        (second,) = [worker for worker in workers if worker.environ().get("RANK") == "1"]
        second.kill()
        _, stderr = process.communicate(timeout=120)
    assert process.returncode != 0
    # rank zero says once what it hears first: the lost connection, or torchrun's SIGTERM
    told = ("Another process that trained the same network has ended", "Interrupted. Finished work is kept")
    assert sum(map(stderr.count, told)) == 1, stderr
    run_id = run_of(tmp_path)
    client = mlflow.MlflowClient(mlflow_server)
    assert client.get_run(run_id).info.status in ("FAILED", "KILLED")

    status, stdout, stderr = run(*command, home=tmp_path, uri=mlflow_server)
    assert status == 0, stderr
    assert "Going on from" in stderr
    assert json.loads(stdout)["run_id"] == run_id
    assert_same(curves(run_id, mlflow_server), alone[1])


def test_a_killed_run_loses_an_epoch_at_most(
    command: list[str | Path], alone: tuple[Curves, Curves], mlflow_server: str, tmp_path: Path
) -> None:
    with ended(start(*command, home=tmp_path, uri=mlflow_server)) as process:
        wait_until(lambda: list(tmp_path.glob("training/*/last.ckpt")), process)
        (checkpoint,) = tmp_path.glob("training/*/last.ckpt")
        written = checkpoint.stat().st_mtime_ns
        wait_until(lambda: checkpoint.stat().st_mtime_ns != written, process)  # of the epoch after
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    run_id = run_of(tmp_path)
    client = mlflow.MlflowClient(mlflow_server)
    assert client.get_run(run_id).info.status == "RUNNING", "nobody could tell MLflow"
    logged = len(client.get_metric_history(run_id, "val_loss"))
    assert 2 <= logged < EPOCHS

    whole = checkpoint.read_bytes()
    WholeCheckpoints("that of another recipe").save_checkpoint({"epoch": 1, "state_dict": {}}, checkpoint)
    status, _, stderr = run(*command, home=tmp_path, uri=mlflow_server)
    assert status == 2, stderr
    assert "last.ckpt is a checkpoint of another training" in stderr
    checkpoint.write_bytes(whole)

    status, stdout, stderr = run(*command, home=tmp_path, uri=mlflow_server)
    assert status == 0, stderr
    assert json.loads(stdout)["run_id"] == run_id
    again = [int(line.split()[1]) for line in stderr.splitlines() if line.startswith("epoch ")]
    assert again[0] in (logged - 1, logged), "more than the epoch that was under way is trained again"
    assert again == list(range(again[0], EPOCHS))
    assert_same(curves(run_id, mlflow_server), alone[1])
    assert client.get_run(run_id).info.status == "FINISHED"


def test_a_time_budget_ends_both_processes_at_the_same_step(
    command: list[str | Path], mlflow_server: str, tmp_path: Path
) -> None:
    recipe = changed(tmp_path, budget={"epochs": 10000}, first_stage=None)
    timed: list[str | Path] = ["--recipe", recipe, "--max-minutes", "0.04"]
    with ended(torchrun(*command, *timed, home=tmp_path, uri=mlflow_server)) as process:
        stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    rates = curves(json.loads(stdout)["run_id"], mlflow_server)["learning_rate"]
    assert rates[-1] < 0.1 * max(rates), "the cosine of the time budget did not reach its end"


def test_processes_that_cannot_share_a_batch_are_refused_once(
    command: list[str | Path], mlflow_server: str, tmp_path: Path
) -> None:
    recipe = changed(tmp_path, batch_size=15)
    with ended(torchrun(*command, "--recipe", recipe, home=tmp_path, uri=mlflow_server)) as process:
        _, stderr = process.communicate(timeout=120)
    assert process.returncode != 0
    assert stderr.count("cannot be shared by 2 processes evenly") == 1, stderr
    assert "[rank" not in stderr, "a traceback"


def test_a_training_that_diverges_fails_with_a_sentence(
    command: list[str | Path], mlflow_server: str, tmp_path: Path
) -> None:
    recipe = changed(tmp_path, optimizer={"name": "adamw", "learning_rate": 1e30})
    status, _, stderr = run(*command, "--recipe", recipe, home=tmp_path, uri=mlflow_server)
    assert status == 1, stderr
    assert "Training diverged: " in stderr
    assert "Lower optimizer.learning_rate" in stderr
    assert "Traceback" not in stderr
    run_id = run_of(tmp_path)
    client = mlflow.MlflowClient(mlflow_server)
    assert client.get_run(run_id).info.status == "FAILED"
    assert client.get_run(first_stage(run_id, mlflow_server)).info.status == "FAILED"
