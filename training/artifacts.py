"""Files of MLflow runs: logged, and read back whole."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from training.mlflow_server import is_lost, mlflow_errors

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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


@retry(
    retry=retry_if_exception(lambda error: not is_lost(error)),
    stop=stop_after_attempt(3),
    wait=wait_random_exponential(multiplier=0.2, max=2),
    reraise=True,
)
def _download(uri: str, folder: str) -> str:
    """Download; again where a transfer broke off: MLflow's client repeats requests, not transfers."""
    return str(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder))
