"""The MLflow server that this process speaks to, and what its client says where it does not answer."""

import logging
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import HTTPError, URLError

import mlflow
from mlflow.exceptions import MlflowException

from hilum.errors import HilumError, ServiceUnreachableError

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


def is_lost(error: BaseException) -> bool:
    """Whether the server, not the request, is at fault."""
    return any(sign in str(error) for sign in LOST)


@contextmanager
def mlflow_errors() -> Iterator[None]:
    """Turn a lost MLflow server into `ServiceUnreachableError`, any other refusal into `HilumError`."""
    try:
        yield
    except MlflowException as error:
        if is_lost(error):
            raise ServiceUnreachableError("MLflow", mlflow.get_tracking_uri(), REMEDY) from error
        raise HilumError(f"MLflow at {mlflow.get_tracking_uri()} refused: {error}") from error
