"""`hilum tune`: processes that share a study, pruning, trials that were killed, and what it refuses."""

import json
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
import optuna
import pytest

from tests.support.commands import run, start
from training.train.family import load_recipe

RECIPE = """
source: tests
classifier:
  backbone: { name: efficientnet_b0, cut_after: blocks.0, channels: 1, image_size_px: 32 }
  optimizer: { name: adamw, learning_rate: 1.0e-3 }
  budget: { epochs: 3 }
  batch_size: 16
  tune:
    optimizer.learning_rate: { low: 1.0e-4, high: 100.0, log: true }
    batch_size: { choices: [8, 16] }
"""
GOOD, BAD = 1e-3, 100.0


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuning") / "data"
    status, _, stderr = run("data", "synth", folder, "--patients", "40", home=folder.parent, uri="unused")
    assert status == 0, stderr
    return folder


@pytest.fixture(scope="module")
def command(data: Path) -> list[str | Path]:
    recipe = data.with_name("searched.yaml")
    recipe.write_text(RECIPE)
    return ["tune", recipe, "--data", data, "--device", "cpu", "--json"]


def records(stdout: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return what a search printed: its trials, and the study with its best."""
    *trials, study = map(json.loads, stdout.splitlines())
    return trials, study


def children(study: dict[str, Any], uri: str) -> list[Any]:
    """Return the runs of a study's trials."""
    client = mlflow.MlflowClient(uri)
    experiment = client.get_run(study["run_id"]).info.experiment_id
    return list(client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{study['run_id']}'"))


def test_two_processes_share_a_study_and_the_best_recipe_trains(
    command: list[str | Path], data: Path, mlflow_server: str, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path / 'shared.db'}"
    join = [*command, "--storage", database, "--study", "shared"]
    workers = [start(*join, "--trials", "4", home=tmp_path / name, uri=mlflow_server) for name in "ab"]
    printed = [worker.communicate(timeout=300) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], printed
    (first, study), (second, same) = (records(stdout) for stdout, _ in printed)
    assert study["run_id"] == same["run_id"], "two parents"
    numbers = [trial["trial"] for trial in (*first, *second)]
    assert len(set(numbers)) == len(numbers) >= 4
    assert first, "one process did all"
    assert second, "one process did all"

    # Four good trials to be compared with, and a bad one, all queued as a user of Optuna would.
    stored = optuna.load_study(study_name="shared", storage=database)
    for rate in (GOOD, GOOD, GOOD, GOOD, BAD):
        stored.enqueue_trial({"optimizer.learning_rate": rate, "batch_size": 16})
    best = tmp_path / "best.yaml"
    everything = str(len(numbers) + 5)
    status, stdout, stderr = run(
        *join, "--trials", everything, "--out", best, home=tmp_path / "c", uri=mlflow_server
    )
    assert status == 0, stderr
    trials, study = records(stdout)
    assert trials[-1]["settings"]["optimizer.learning_rate"] == BAD
    assert trials[-1]["state"] == "pruned"
    runs = {child.info.run_id: child for child in children(study, mlflow_server)}
    assert len(runs) == len(numbers) + 5
    pruned = runs[trials[-1]["run_id"]]
    assert pruned.data.tags["hilum.trial_state"] == "pruned"
    assert pruned.info.status == "KILLED"
    client = mlflow.MlflowClient(mlflow_server)
    assert len(client.get_metric_history(pruned.info.run_id, "val_loss")) < 3
    complete = runs[study["best"]["run_id"]]
    assert complete.data.tags["hilum.trial_state"] == "complete"
    losses = [entry.value for entry in client.get_metric_history(complete.info.run_id, "val_loss")]
    assert study["best"]["value"] == pytest.approx(min(losses))
    assert not list((tmp_path / "c" / "tuning").rglob("*.ckpt")), "checkpoints outlive their trials"

    tuned = load_recipe(str(best)).network("xray_classifier")
    assert tuned.optimizer.learning_rate == study["best"]["settings"]["optimizer.learning_rate"]
    status, stdout, stderr = run(
        *("train", "classifier", "--data", data, "--recipe", best, "--device", "cpu", "--json"),
        home=tmp_path / "c",
        uri=mlflow_server,
    )
    assert status == 0, stderr
    again = client.get_metric_history(json.loads(stdout)["run_id"], "val_loss")
    assert [entry.value for entry in again] == pytest.approx(losses, rel=1e-3), "the best trial, again"


def test_a_killed_trial_is_marked_and_goes_on(
    command: list[str | Path], mlflow_server: str, tmp_path: Path
) -> None:
    process = start(*command, "--trials", "1", "--epochs", "6", home=tmp_path, uri=mlflow_server)
    deadline = time.monotonic() + 240
    while not list(tmp_path.glob("tuning/*/0/training/*/last.ckpt")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    with closing(sqlite3.connect(tmp_path / "tuning.db")) as database, database:
        database.execute("UPDATE trial_heartbeats SET heartbeat = datetime('now', '-1 hour')")

    status, stdout, stderr = run(*command, "--trials", "1", "--epochs", "6", home=tmp_path, uri=mlflow_server)
    assert status == 0, stderr
    assert "Going on from" in stderr
    (trial,), study = records(stdout)
    assert (trial["trial"], trial["state"]) == (1, "complete")
    (child,) = children(study, mlflow_server)
    assert child.info.status == "FINISHED"
    steps = mlflow.MlflowClient(mlflow_server).get_metric_history(child.info.run_id, "val_loss")
    assert [entry.step for entry in steps] == list(range(6))
    stored = optuna.load_study(study_name=study["study"], storage=f"sqlite:///{tmp_path / 'tuning.db'}")
    assert [trial.state.name for trial in stored.trials] == ["FAIL", "COMPLETE"]
    assert stored.trials[0].params == stored.trials[1].params
    assert list(stored.trials[1].intermediate_values) == list(range(6))


def test_a_recipe_without_a_search_space_is_refused(
    command: list[str | Path], mlflow_server: str, tmp_path: Path
) -> None:
    recipe = tmp_path / "plain.yaml"
    recipe.write_text(RECIPE[: RECIPE.index("  tune:")])
    status, _, stderr = run("tune", recipe, *command[2:], home=tmp_path, uri=mlflow_server)
    assert status == 2
    assert "has no `tune` section for its classifier" in stderr


def test_a_database_that_does_not_answer_is_told(
    command: list[str | Path], mlflow_server: str, tmp_path: Path
) -> None:
    missing = f"sqlite:///{tmp_path}/missing/shared.db"
    status, _, stderr = run(*command, "--storage", missing, home=tmp_path, uri=mlflow_server)
    assert status == 4
    assert "The study's database does not answer" in stderr
