"""Every call to MLflow's tracking: runs, what is logged to them, and what is read back."""

import platform
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from training.errors import StoppedError, UnknownVersionError
from training.mlflow_server import mlflow_errors

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

CHECKPOINT = "checkpoint"
"""Artifact folder of a training run that holds the trained network."""

COMPLETE_TAG = "hilum.complete"
"""Set last on a training run: without it the run was cut short, and no later stage takes it for whole."""

MODEL_TAG = "hilum.model"
RECIPE_TAG = "hilum.recipe"
DATA_DIGEST_TAG = "hilum.data_digest"
UNDIVIDED_DIGEST_TAG = "hilum.undivided_digest"
DECODER_DIGEST_TAG = "hilum.decoder_digest"
GIT_REVISION_TAG = "hilum.git_revision"
CLASSES_TAG = "hilum.classes"
SUBSET_TAG = "hilum.subset"
"""What a training run says of itself, and a registered version carries on."""


@contextmanager
def training_run(model: str, name: str, tags: Mapping[str, str], run_id: str | None) -> Iterator[str]:
    """Open a run of the experiment `model`, or go on with `run_id`, and yield its id.

    Inside another open run it becomes that one's child, in that one's experiment. System metrics are logged
    while it is open. The run ends as FINISHED, as KILLED when it is ended on purpose, and as FAILED on
    any other exception.
    """
    with mlflow_errors():
        if mlflow.active_run() is None:
            mlflow.set_experiment(model)
        run_name = None if run_id else name
        run = mlflow.start_run(run_id=run_id, run_name=run_name, nested=True, log_system_metrics=True)
    try:
        with mlflow_errors():
            mlflow.set_tags(dict(tags))
        yield run.info.run_id
    except BaseException as error:
        with suppress(MlflowException), _sigterm_ignored():  # the first error is the one to tell of
            ended = isinstance(error, KeyboardInterrupt | StoppedError)
            mlflow.end_run("KILLED" if ended else "FAILED")
        raise
    with mlflow_errors():
        mlflow.end_run()


@contextmanager
def _sigterm_ignored() -> Iterator[None]:
    """Let MLflow hear of a failure although torchrun, which has seen it too, asks this process to end."""
    previous = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def environment_tags() -> dict[str, str]:
    """Return what a result depends on besides data and recipe: code revision and versions."""
    packages = ("hilum", "torch", "timm", "lightning", "numpy", "pillow", "mlflow")
    tags = {f"hilum.version.{package}": version(package) for package in packages}
    return tags | {"hilum.version.python": platform.python_version(), GIT_REVISION_TAG: git_revision()}


def git_revision() -> str:
    """Return the commit of this source tree, with `-dirty` when files differ; `unknown` outside git."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return result.stdout.strip()


def log_params(params: Mapping[str, Any]) -> None:
    """Log parameters to the open run; MLflow refuses a second, different value."""
    with mlflow_errors():
        mlflow.log_params(dict(params))


def log_metrics(metrics: Mapping[str, float], step: int) -> None:
    """Log the metrics of one epoch to the open run."""
    with mlflow_errors():
        mlflow.log_metrics(dict(metrics), step=step)


def log_results(
    run_id: str,
    folder: str,
    *,
    record: Mapping[str, Any],
    table: "pd.DataFrame",
    figures: Mapping[str, "Figure"],
) -> None:
    """Log a result under `folder`: `result.json`, `table.csv` and one PNG per figure."""
    client = mlflow.MlflowClient()
    with mlflow_errors():
        client.log_dict(run_id, dict(record), f"{folder}/result.json")
        client.log_text(run_id, table.to_csv(index=False), f"{folder}/table.csv")
        for name, figure in figures.items():
            client.log_figure(run_id, figure, f"{folder}/{name}.png")


def open_run_id() -> str:
    """Return the id of the run that is open, the innermost one."""
    run = mlflow.active_run()
    assert run is not None
    return str(run.info.run_id)


def mark_failed(run_id: str) -> None:
    """End a run as FAILED whose own process cannot."""
    with mlflow_errors():
        mlflow.MlflowClient().set_terminated(run_id, "FAILED")


def set_tags(run_id: str, tags: Mapping[str, str]) -> None:
    """Set tags on any run."""
    client = mlflow.MlflowClient()
    with mlflow_errors():
        for key, value in tags.items():
            client.set_tag(run_id, key, value)


def log_metric(run_id: str, name: str, value: float) -> None:
    """Log one number to a run, open or not."""
    with mlflow_errors():
        mlflow.MlflowClient().log_metric(run_id, name, value)


def metric_history(run_id: str, names: Sequence[str]) -> "pd.DataFrame":
    """Return one row per epoch with the columns `epoch` and `names`."""
    import pandas as pd

    client = mlflow.MlflowClient()
    with mlflow_errors():
        history = {
            name: {metric.step: metric.value for metric in client.get_metric_history(run_id, name)}
            for name in names
        }
    return pd.DataFrame(history).sort_index().rename_axis("epoch").reset_index()


def run_exists(run_id: str) -> bool:
    """Answer whether the server knows this run and has not deleted it."""
    run = _fetch_run(run_id)
    return run is not None and run.info.lifecycle_stage == "active"


def run_tags(run_id: str) -> dict[str, str]:
    """Return the tags of a run; none where it is deleted or unknown."""
    run = _fetch_run(run_id)
    return dict(run.data.tags) if run is not None and run.info.lifecycle_stage == "active" else {}


def find_complete(experiment: str, tags: Mapping[str, str]) -> str | None:
    """Return the newest complete run of an experiment that has these tags, or None."""
    wanted = dict(tags) | {COMPLETE_TAG: "true"}
    client = mlflow.MlflowClient()
    with mlflow_errors():
        found = client.get_experiment_by_name(experiment)
        if found is None:
            return None
        runs = client.search_runs(
            [found.experiment_id],
            filter_string=" and ".join(f"tags.`{key}` = '{value}'" for key, value in wanted.items()),
            order_by=["attributes.start_time DESC"],
            max_results=1,
        )
    return str(runs[0].info.run_id) if runs else None


@dataclass(frozen=True, kw_only=True, slots=True)
class CompleteRun:
    """One line of a list of complete runs."""

    run_id: str
    name: str
    """What MLflow calls it."""
    started_ms: int
    """In milliseconds since 1970."""
    tags: Mapping[str, str]
    params: Mapping[str, str]


def complete_runs(experiment: str, tags: Mapping[str, str | None], *, most: int) -> tuple[CompleteRun, ...]:
    """Return the newest complete runs of an experiment, `most` of them; none where it does not exist.

    Args:
        experiment: its name.
        tags: what the runs must have; None for a tag of any value.
        most: runs at most.
    """
    conditions = [
        f"tags.`{key}` != ''" if value is None else f"tags.`{key}` = '{value}'"
        for key, value in ({COMPLETE_TAG: "true"} | dict(tags)).items()
    ]
    client = mlflow.MlflowClient()
    with mlflow_errors():
        found = client.get_experiment_by_name(experiment)
        if found is None:
            return ()
        runs = client.search_runs(
            [found.experiment_id],
            filter_string=" and ".join(conditions),
            order_by=["attributes.start_time DESC"],
            max_results=most,
        )
    return tuple(
        CompleteRun(
            run_id=str(run.info.run_id),
            name=str(run.info.run_name),
            started_ms=int(run.info.start_time),
            tags=dict(run.data.tags),
            params=dict(run.data.params),
        )
        for run in runs
    )


def _fetch_run(run_id: str) -> Run | None:
    """Return a run, or None where the server has none of this id."""
    with mlflow_errors():
        try:
            return mlflow.MlflowClient().get_run(run_id)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise


def find_run(model: str, run_id: str | None) -> Run:
    """Return a complete training run of `model`: the one asked for, or the newest.

    Raises:
        UnknownVersionError: there is no such run, it trained another model, or it was cut short.
    """
    client = mlflow.MlflowClient()
    advice = f"Train one with `hilum train {model.removeprefix('xray_')} --data DIR`."
    if run_id:
        run = _fetch_run(run_id)
        if run is None:
            raise UnknownVersionError(f"MLflow has no run {run_id}. {advice}")
        if run.data.tags.get(MODEL_TAG) != model:
            raise UnknownVersionError(f"Run {run_id} did not train {model}. {advice}")
        if COMPLETE_TAG not in run.data.tags:
            raise UnknownVersionError(f"Run {run_id} did not finish; run the same `hilum train` to go on.")
        return run
    with mlflow_errors():
        experiment = client.get_experiment_by_name(model)
        runs = (
            client.search_runs(
                [experiment.experiment_id],
                filter_string=f"tags.`{COMPLETE_TAG}` = 'true'",
                order_by=["attributes.start_time DESC"],
                max_results=1,
            )
            if experiment
            else []
        )
    if not runs:
        raise UnknownVersionError(f"MLflow has no complete training run of {model}. {advice}")
    return runs[0]
