"""MLflow's words for what Hilum knows: deployments, errors, and the server that both talk to."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    INTERNAL_ERROR,
    INVALID_PARAMETER_VALUE,
    RESOURCE_DOES_NOT_EXIST,
    TEMPORARILY_UNAVAILABLE,
)

from hilum.errors import HilumError, ServiceUnreachableError, UsageError
from hilum.settings import settings
from training.errors import UnknownVersionError
from training.promote.wanted import DOORS

if TYPE_CHECKING:
    from training.promote.promotion import Role

FLAVOR = "hilum"
"""What MLflow prints as a deployment's flavor: a release is several models."""


def role_of(name: str | None) -> "Role":
    """Return the role whose front door a deployment is."""
    for role, door in DOORS.items():
        if door == name:
            return role
    raise UsageError(f"A deployment is called {' or '.join(DOORS.values())}, got {name}.")


def tracking_uri() -> str:
    """Return the MLflow server that the caller set for MLflow itself, else this installation's."""
    is_set = mlflow.is_tracking_uri_set()  # type: ignore[no-untyped-call]
    return mlflow.get_tracking_uri() if is_set else settings().mlflow_address


@contextmanager
def as_mlflow_errors() -> Iterator[None]:
    """Raise what Hilum raises as MLflow's callers expect it, with the same sentence."""
    try:
        yield
    except HilumError as error:
        code = INTERNAL_ERROR
        for kind, known in (
            (UnknownVersionError, RESOURCE_DOES_NOT_EXIST),
            (UsageError, INVALID_PARAMETER_VALUE),
            (ServiceUnreachableError, TEMPORARILY_UNAVAILABLE),
        ):
            if isinstance(error, kind):
                code = known
                break
        raise MlflowException(str(error), error_code=code) from error
