"""`hilum crossval` and `hilum paper` as commands, against a real MLflow server."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import mlflow
import pytest
from sklearn import metrics

from tests.support.commands import run, start
from tests.support.studies import TINY_FAMILY
from training.study.record import load_parts

OPTIONS = ("--bootstrap", "100", "--json")
CROSSVAL = ("crossval", f"{TINY_FAMILY}/plain", *OPTIONS)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def data(home: Path) -> Path:
    folder = home / "data"
    status, _, stderr = run("data", "synth", folder, "--patients", "60", home=home, uri="unused")
    assert status == 0, stderr
    return folder


def kill_once_there_is(pattern: str, data: Path, home: Path, uri: str) -> str:
    """Run the study, kill it once it wrote such a file, and return what it printed."""
    process = start(*CROSSVAL, "--data", data, home=home, uri=uri)
    deadline = time.monotonic() + 240
    while not list(home.glob(f"training/study-*/{pattern}")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    return process.communicate(timeout=60)[1]


@pytest.fixture(scope="module")
def killed(data: Path, home: Path, mlflow_server: str) -> list[str]:
    """The runs of two folds of a study that was killed when the first was done, and the second trained."""
    kill_once_there_is("repeat001-fold001.csv", data, home, mlflow_server)
    stderr = kill_once_there_is("repeat001-fold002.json", data, home, mlflow_server)
    assert stderr.count("epoch 0 ") == 1, "the finished fold was trained again"
    records = sorted(home.glob("training/study-*/repeat*.json"))
    return [str(json.loads(record.read_text())["run_id"]) for record in records]


@pytest.fixture(scope="module")
def crossval(killed: list[str], data: Path, home: Path, mlflow_server: str) -> dict[str, Any]:
    """What the same command printed after the kills."""
    status, stdout, stderr = run(*CROSSVAL, "--data", data, home=home, uri=mlflow_server)
    assert status == 0, stderr
    assert f"fold 1 of 2: done before, in run {killed[0]}." in stderr
    assert "epoch 0 " not in stderr, "a trained fold was trained again"
    record: dict[str, Any] = json.loads(stdout)
    return record


def test_a_killed_study_goes_on_where_it_was(
    crossval: dict[str, Any], killed: list[str], home: Path, mlflow_server: str
) -> None:
    client = mlflow.MlflowClient(mlflow_server)
    parent = client.get_run(crossval["run_id"])
    assert (parent.info.status, parent.data.tags["hilum.complete"]) == ("FINISHED", "true")
    children = client.search_runs(
        [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    )
    assert {child.info.run_name for child in children} == {"fold 1 of 2", "fold 2 of 2"}
    assert {child.info.run_id for child in children} == set(killed)
    assert [each["run_id"] for each in crossval["networks"]] == killed
    for child in children:
        steps = [metric.step for metric in client.get_metric_history(child.info.run_id, "val_loss")]
        assert steps == [0, 1]
    assert not list((home / "training").iterdir()), "records outlive a complete study"


def test_what_is_logged_is_every_images_prediction_by_the_other_folds_network(
    crossval: dict[str, Any], data: Path, mlflow_server: str, tmp_path: Path
) -> None:
    client = mlflow.MlflowClient(mlflow_server)
    logged = {file.path.removeprefix("study/") for file in client.list_artifacts(crossval["run_id"], "study")}
    assert {"result.json", "table.csv", "predictions.csv", "confusion_matrix.png", "roc.png"} <= logged
    path = client.download_artifacts(crossval["run_id"], "study/predictions.csv", str(tmp_path))
    parts = load_parts(Path(path))
    tested = [image for part in parts for image in part.predictions.frame["path"]]
    assert len(tested) == len(set(tested)) == crossval["n_images"]
    patients = [set(part.predictions.frame["patient_id"]) for part in parts]
    assert not patients[0] & patients[1]
    right = sum(int((part.predictions.truth == part.predictions.decided).sum()) for part in parts)
    assert crossval["pooled"]["accuracy"]["value"] == pytest.approx(right / len(tested))
    for part, network in zip(parts, crossval["networks"], strict=True):
        said = part.predictions
        assert (said.decided == said.probabilities.argmax(axis=1)).all(), "the protocol decides by argmax"
        assert network["accuracy"] == pytest.approx(metrics.accuracy_score(said.truth, said.decided))


def test_a_folds_network_is_not_taken_for_the_newest_trained_one(
    crossval: dict[str, Any], data: Path, home: Path, mlflow_server: str
) -> None:
    client = mlflow.MlflowClient(mlflow_server)
    for each in crossval["networks"]:
        experiment = client.get_experiment(client.get_run(each["run_id"]).info.experiment_id)
        assert experiment.name == "study", "the default of --run looks into xray_classifier"
    fold = crossval["networks"][1]["run_id"]
    command = ("evaluate", "classifier", "--data", data, "--split", "val", *OPTIONS)
    status, _, stderr = run(*command, "--run", fold, home=home, uri=mlflow_server)
    assert status == 2, "images that the fold has learnt from were taken for unseen ones"
    assert "another division" in stderr


def test_a_paper_reuses_what_is_complete_and_prints_its_tables(
    crossval: dict[str, Any], data: Path, home: Path, mlflow_server: str, tmp_path: Path
) -> None:
    command = ("paper", TINY_FAMILY, "--data", data, "--out", tmp_path, *OPTIONS)
    status, stdout, stderr = run(*command, home=home, uri=mlflow_server)
    assert status == 0, stderr
    assert f"tiny_family/plain classifier: 2 folds by patient: taken from run {crossval['run_id']}" in stderr
    record = json.loads(stdout)
    assert [facts["reused"] for facts in record["networks"]] == [True, False]
    numbers = {number["metric"]: number for number in record["comparisons"][0]["numbers"]}
    assert numbers["accuracy"]["ours"] == crossval["pooled"]["accuracy"]
    assert numbers["covid19.sensitivity"]["spread"] == crossval["over_networks"]["covid19.sensitivity"]
    by_name = crossval["labels"].index("covid19")
    assert record["comparisons"][1]["ours"][0][0] == crossval["confusion"][by_name][by_name]
    assert (tmp_path / "tiny_family.md").read_text().count("\n## Table") == 4
    assert len(list((tmp_path / "figures").glob("*.png"))) == 4
    client = mlflow.MlflowClient(mlflow_server)
    logged = {file.path for file in client.list_artifacts(record["run_id"], "paper")}
    assert {"paper/tiny_family.md", "paper/tiny_family.json"} <= logged

    again = ("paper", TINY_FAMILY, "--data", data, "--variant", "binary", "--bootstrap", "100")
    status, stdout, stderr = run(*again, home=home, uri=mlflow_server)
    assert status == 0, stderr
    assert "taken from run" in stderr
    assert "not on the paper's images" in stdout
    assert "Table 4: Two thresholds (binary)" in stdout
    assert "Table 1" not in stdout, "a table of a variant that was not asked for"


def test_what_cannot_be_done_is_said_before_a_run_is_opened(
    data: Path, home: Path, mlflow_server: str
) -> None:
    command = ("crossval", f"{TINY_FAMILY}/plain", "--folds", "40")
    status, _, stderr = run(*command, "--data", data, home=home, uri=mlflow_server)
    assert status == 2
    assert "too few for 40 folds" in stderr
    assert not list((home / "training").iterdir())
