"""Two-stage training: the first stage is a child run, lends its backbone, and is not trained twice."""

import json
import signal
import time
from pathlib import Path

import mlflow
import pytest

from tests.support.commands import run, start

FIRST_STAGE = """
  first_stage:
    classes: {no_finding: [no_finding], lung_opacity: [lung_opacity, covid19]}
    budget: {epochs: 2}
  backbone: { name: mobilenetv1_100, channels: 1, image_size_px: 32 }
  optimizer: { name: adamw, learning_rate: 2.0e-3 }
  budget: { epochs: 2 }
  batch_size: 16
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two_stage") / "data"
    status, _, stderr = run("data", "synth", folder, "--patients", "60", home=folder.parent, uri="unused")
    assert status == 0, stderr
    return folder


def test_the_first_stage_is_a_child_run_that_a_kill_does_not_undo(
    data: Path, tmp_path: Path, mlflow_server: str
) -> None:
    recipe = tmp_path / "two_stage.yaml"
    recipe.write_text(f"source: tests\nclassifier:{FIRST_STAGE}")
    command = ("train", "classifier", "--data", data, "--recipe", recipe, "--json")
    home = tmp_path / "home"
    process = start(*command, home=home, uri=mlflow_server)
    deadline = time.monotonic() + 240
    while not list(home.glob("training/*/last.ckpt")):  # of the second stage
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)

    status, stdout, stderr = run(*command, home=home, uri=mlflow_server)
    assert status == 0, stderr
    assert "First stage" not in stderr, "the first stage was trained again"
    run_id = json.loads(stdout)["run_id"]
    client = mlflow.MlflowClient(mlflow_server)
    experiment = client.get_run(run_id).info.experiment_id
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run_id}'")
    assert [child.info.status for child in children] == ["FINISHED"]
    assert json.loads(children[0].data.tags["hilum.classes"])["lung_opacity"] == ["lung_opacity", "covid19"]
    for child in (*children, client.get_run(run_id)):
        steps = [metric.step for metric in client.get_metric_history(child.info.run_id, "val_loss")]
        assert steps == [0, 1]
    assert not list((home / "training").iterdir()), "checkpoints outlive a complete run"
