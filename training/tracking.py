"""Every call to MLflow's tracking: runs, what is logged to them, and what is read back."""

import logging
import os
import platform
import signal
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError

import mlflow
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from hilum.errors import HilumError, ServiceUnreachableError
from training.errors import StoppedError, UnknownVersionError

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

REMEDY = "Start it with `hilum up --detach`, or set HILUM_MLFLOW_URI."


LOST = (
    "failed with exception",
    "failed with timeout",
    "Max retries exceeded",
    "error code 502",
    "error code 503",
)
"""What MLflow's client says where the server, not the request, is at fault."""


def connect(uri: str) -> None:
    """Make `uri` MLflow's tracking and registry server for this process.

    Raises:
        ServiceUnreachableError: nothing answers there. Asked first, in seconds: MLflow's own client
            would try for minutes.
    """
    if uri.startswith("http"):
        try:
            with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=5):  # noqa: S310  http(s) by the line above
                pass
        except HTTPError:
            pass  # a proxy that hides /health still answers
        except (URLError, OSError) as error:
            raise ServiceUnreachableError("MLflow", uri, REMEDY) from error
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # the commands have their own
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # stdout holds answers only
    for name in ("MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
        # Hilum names its experiments itself; one that another program left here may be another server's
        os.environ.pop(name, None)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)


def address() -> str:
    """Return the server that this process is connected to."""
    return str(mlflow.get_tracking_uri())


@contextmanager
def mlflow_errors() -> Iterator[None]:
    """Turn a lost MLflow server into `ServiceUnreachableError`, any other refusal into `HilumError`."""
    try:
        yield
    except MlflowException as error:
        if _is_lost(error):
            raise ServiceUnreachableError("MLflow", mlflow.get_tracking_uri(), REMEDY) from error
        raise HilumError(f"MLflow at {mlflow.get_tracking_uri()} refused: {error}") from error


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


def log_artifacts(run_id: str, folder: Path, artifact_folder: str) -> None:
    """Upload the files of a local folder to a run."""
    with mlflow_errors():
        mlflow.MlflowClient().log_artifacts(run_id, str(folder), artifact_folder)


def store_files(
    experiment: str, name: str, files: Mapping[str, bytes], artifact_folder: str, tags: Mapping[str, str]
) -> str:
    """Keep files in a new run of an experiment, which ends with them, and return the run's id."""
    client = mlflow.MlflowClient()
    with tempfile.TemporaryDirectory(prefix="hilum-") as folder, mlflow_errors():
        for file, content in files.items():
            (Path(folder) / file).write_bytes(content)
        experiment_id = mlflow.set_experiment(experiment).experiment_id
        run = client.create_run(experiment_id, tags=dict(tags), run_name=name)
        client.log_artifacts(run.info.run_id, folder, artifact_folder)
        client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def log_text(run_id: str, text: str, path: str) -> None:
    """Log one text file to a run."""
    with mlflow_errors():
        mlflow.MlflowClient().log_text(run_id, text, path)


def log_figure(run_id: str, figure: "Figure", path: str) -> None:
    """Log one figure to a run, as PNG."""
    with mlflow_errors():
        mlflow.MlflowClient().log_figure(run_id, figure, path)


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


def complete_runs(experiment: str, *, most: int, having: str | None = None) -> tuple[CompleteRun, ...]:
    """Return the newest complete runs of an experiment, `most` of them; none where it does not exist.

    Args:
        experiment: its name.
        most: runs at most.
        having: a tag that the runs must have, whatever its value.
    """
    conditions = [f"tags.`{COMPLETE_TAG}` = 'true'"]
    if having is not None:
        conditions.append(f"tags.`{having}` != ''")
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


def has_artifact(run_id: str, path: str) -> bool:
    """Answer whether a run holds a file of this path."""
    with mlflow_errors():
        beside = mlflow.MlflowClient().list_artifacts(run_id, path.rpartition("/")[0] or None)
    return any(file.path == path for file in beside)


@contextmanager
def downloaded(run_id: str, artifact: str) -> Iterator[Path]:
    """Yield a local copy of a run's artifact, a file or a folder; it is gone afterwards."""
    with mlflow_errors():
        run = mlflow.get_run(run_id)
    with downloaded_from(f"{run.info.artifact_uri}/{artifact}") as path:
        yield path


@contextmanager
def downloaded_from(uri: str) -> Iterator[Path]:
    """Yield a local copy of what lies at an artifact URI, gone afterwards.

    `runs:/...` is no such URI: there MLflow says "ensure that the path is correct" whatever went wrong.
    """
    with tempfile.TemporaryDirectory(prefix="hilum-download-") as folder:
        with mlflow_errors():
            path = _download(uri, folder)
        yield Path(path)


def _is_lost(error: BaseException) -> bool:
    """Whether the server, not the request, is at fault."""
    return any(sign in str(error) for sign in LOST)


@retry(
    retry=retry_if_exception(lambda error: not _is_lost(error)),
    stop=stop_after_attempt(3),
    wait=wait_random_exponential(multiplier=0.2, max=2),
    reraise=True,
)
def _download(uri: str, folder: str) -> str:
    """Download; again where a transfer broke off: MLflow's client repeats requests, not transfers."""
    return str(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder))
