"""The one place where a gRPC status becomes one of our errors.

gRPC reports a refused connection and a model that is not loaded under the same status,
UNAVAILABLE, so Triton's own words decide where the status does not. The words are those of
Triton 2.51; an unknown one ends as `ServerFailureError` or, where nothing says that a server
spoke at all, `ServerUnreachableError`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tritonclient.utils import InferenceServerException

from clients.errors import (
    DeadlineExceededError,
    ModelNotReadyError,
    OverloadedError,
    RadiographRefusedError,
    ServerFailureError,
    ServerUnreachableError,
    TlsError,
)
from hilum.contract import SCREENING
from hilum.errors import HilumError
from hilum.tls import TlsFiles
from hilum.triton.tls_trouble import find_tls_trouble

UNKNOWN_MODEL = "Request for unknown model"
"""Triton's words for a model or version that is not loaded, under NOT_FOUND or UNAVAILABLE."""

OVERLOAD = ("Exceeds maximum queue size", "Request timeout expired")
"""Triton's words for a full queue and for a request that waited there too long."""

NO_CONNECTION = "failed to connect"
"""gRPC's words where no connection came about; one that broke later was agreed on."""

INSIDE_ENSEMBLE = "in ensemble '{}', "
"""What Triton puts before the message of a step that failed."""


@contextmanager
def translated(
    address: str, timeout_s: float, *, model: str = SCREENING, tls: TlsFiles | None = None
) -> Iterator[None]:
    """Raise what `tritonclient` raises inside the block, about a front door, as one of `clients.errors`.

    Args:
        address: `host:port` of the server.
        timeout_s: what the call was allowed, in seconds.
        model: the front door.
        tls: how the connection was encrypted: where none came about, the server is asked why.
    """
    try:
        yield
    except InferenceServerException as error:
        raise explain(error, address, timeout_s, model=model, tls=tls) from error


def explain(
    error: InferenceServerException, address: str, timeout_s: float, *, model: str, tls: TlsFiles | None
) -> HilumError:
    """Return our error for a failed call, as `translate` does, and ask the server where none came about."""
    failure = translate(error, address, timeout_s, model=model)
    if isinstance(failure, ServerUnreachableError) and NO_CONNECTION in failure.detail:
        trouble = find_tls_trouble(address, tls)
        return TlsError(address, trouble) if trouble else failure
    return failure


def translate(
    error: InferenceServerException, address: str, timeout_s: float, *, model: str = SCREENING
) -> HilumError:
    """Return our error for a failed call to `model` at `address` that was allowed `timeout_s` seconds."""
    status = (error.status() or "").removeprefix("StatusCode.")
    prefix = INSIDE_ENSEMBLE.format(model)
    inside = error.message().startswith(prefix)
    message = error.message().removeprefix(prefix).strip()
    sentence = message.splitlines()[0].rstrip(".") if message else status
    match status:
        case "DEADLINE_EXCEEDED":
            return DeadlineExceededError(address, timeout_s)
        case "INVALID_ARGUMENT" if inside:
            return RadiographRefusedError(message)
        case "NOT_FOUND" | "UNAVAILABLE" if UNKNOWN_MODEL in message:
            return ModelNotReadyError(address, model, sentence)
        case "UNAVAILABLE" if any(words in message for words in OVERLOAD):
            return OverloadedError(address, sentence)
        case "UNAVAILABLE" if not inside:
            return ServerUnreachableError(address, sentence)
        case _:
            return ServerFailureError(address, f"{status}, {sentence}")
