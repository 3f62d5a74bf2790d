"""The list of complete runs, as a real MLflow server gives it."""

import mlflow
import pytest

from training.mlflow_server import connect
from training.tracking import COMPLETE_TAG, MODEL_TAG, complete_runs

EXPERIMENT = "listed runs"

DONE = {COMPLETE_TAG: "true"}


@pytest.fixture(scope="module", autouse=True)
def _runs(mlflow_server: str) -> None:
    connect(mlflow_server)
    client = mlflow.MlflowClient()
    experiment = client.create_experiment(EXPERIMENT)
    for started, (name, tags) in enumerate(
        {
            "filter": DONE | {MODEL_TAG: "xray_filter"},
            "cut short": {MODEL_TAG: "xray_filter"},
            "classifier": DONE | {MODEL_TAG: "xray_classifier"},
            "parent": DONE,
        }.items(),
        start=1,  # MLflow takes 0 for now
    ):
        run = client.create_run(experiment, start_time=started, tags=tags, run_name=name)
        client.log_param(run.info.run_id, "place", started)


def names(tags: dict[str, str | None], most: int = 10) -> list[str]:
    return [run.name for run in complete_runs(EXPERIMENT, tags, most=most)]


def test_complete_runs_are_listed_newest_first() -> None:
    assert names({}) == ["parent", "classifier", "filter"]
    assert names({}, most=1) == ["parent"]
    newest = complete_runs(EXPERIMENT, {}, most=1)[0]
    assert (newest.started_ms, newest.params["place"], newest.tags[COMPLETE_TAG]) == (4, "4", "true")


def test_runs_are_chosen_by_a_tag_or_its_value() -> None:
    assert names({MODEL_TAG: None}) == ["classifier", "filter"]
    assert names({MODEL_TAG: "xray_filter"}) == ["filter"]


def test_an_experiment_that_does_not_exist_has_no_runs() -> None:
    assert complete_runs("never created", {}, most=10) == ()
