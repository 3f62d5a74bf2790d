"""Errors of the clients: what can go wrong between a caller and the front door.

    HilumError
    |-- ClientError
    |   |-- UnreadableFileError       a file cannot be read
    |   |-- TooLargeError             there are more bytes than the server takes
    |   |-- RadiographRefusedError    the server's decoder refused the bytes, and says why
    |   |-- ModelNotReadyError        the server answers, but serves no such model
    |   |-- OverloadedError           the server has more requests waiting than it takes
    |   `-- ServerFailureError        the server failed, or answered outside the contract
    `-- ServiceUnreachableError
        |-- ServerUnreachableError    exit 4: nothing answers at the address
        |-- TlsError                  exit 4: client and server do not agree on encryption
        `-- DeadlineExceededError     exit 4: no answer within the time allowed

`clients.grpc_status` says which gRPC status becomes which of them.
"""

from pathlib import Path

import click

from hilum.errors import HilumError, ServiceUnreachableError
from hilum.radiograph import MAX_BYTES

SERVICE = "Triton"
"""What the server is called in a sentence."""


class ClientError(HilumError):
    """Base of what a client raises about one request."""


class UnreadableFileError(ClientError):
    """A file that was to be screened cannot be read."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{click.format_filename(path.name)} was not sent: {reason}.")
        self.path = path
        self.reason = reason


class TooLargeError(ClientError):
    """There are more bytes than the server's decoder takes; nothing was sent."""

    def __init__(self, size: int) -> None:
        super().__init__(
            f"Expected a file of at most {MAX_BYTES:,} bytes, found {size:,}; it was not sent. "
            "Export the radiograph again as a single image, as JPEG or PNG."
        )
        self.size = size


class RadiographRefusedError(ClientError):
    """The server's decoder refused the bytes; the message is its own sentence."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class ModelNotReadyError(ClientError):
    """The server answers, but does not serve the model that was asked for."""

    def __init__(self, address: str, model: str, detail: str) -> None:
        super().__init__(
            f"Triton at {address} serves no ready {model} ({detail}). "
            "Roll a release out with `hilum rollout apply`, or ask `hilum status` what is served."
        )
        self.address = address
        self.model = model


class OverloadedError(ClientError):
    """The server has more requests waiting than it takes."""

    def __init__(self, address: str, detail: str) -> None:
        super().__init__(
            f"Triton at {address} is overloaded ({detail}). Try again with fewer requests in flight."
        )
        self.address = address


class ServerFailureError(ClientError):
    """The server failed on the request, or answered outside the contract."""

    def __init__(self, address: str, detail: str) -> None:
        super().__init__(f"Triton at {address} failed: {detail}. Its log says more.")
        self.address = address
        self.detail = detail


class ServerUnreachableError(ServiceUnreachableError):
    """Nothing answers at the address, or the connection broke."""

    def __init__(self, address: str, detail: str) -> None:
        super().__init__(
            SERVICE, address, f"Start it with `hilum up`, or give its gRPC address with --url ({detail})."
        )
        self.detail = detail


class TlsError(ServiceUnreachableError):
    """Client and server do not agree on encryption, or on who vouches for whom; the message says on what."""

    def __init__(self, address: str, trouble: str) -> None:
        super().__init__(SERVICE, address, trouble)
        self.trouble = trouble


class DeadlineExceededError(ServiceUnreachableError):
    """No answer came within the time allowed; the server may still be at work."""

    def __init__(self, address: str, timeout_s: float) -> None:
        super().__init__(
            SERVICE,
            address,
            f"No answer came within {timeout_s:g} s: allow more with --timeout, or look at its load.",
        )
        self.timeout_s = timeout_s
