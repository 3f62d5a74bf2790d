"""Asks the front door of a temporary Triton, by many threads at once if need be."""

from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from hilum.contract import ACCEPTED, IMAGE_BYTES, PROBABILITIES, SCREENING, VALID_PROBABILITY
from hilum.errors import HilumError

CALL_TIMEOUT_S = 60.0
"""Longest wait for one answer, in seconds."""


class RefusedImageError(HilumError):
    """The decoder refused the bytes; the message is its sentence."""


class FrontDoorError(HilumError):
    """The front door failed on an image, or did not answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FrontDoorAnswer:
    """What the front door said to one image."""

    release: int
    """The release that answered."""
    valid_probability: float
    """In [0, 1]."""
    accepted: bool
    """Whether the filter let it pass."""
    probabilities: tuple[float, ...]
    """In the order of the labels; NaN where rejected."""


class FrontDoor:
    """A connection to one Triton, which threads may share; a context manager that closes it."""

    def __init__(self, address: str) -> None:
        """Prepare a connection to `host:port`; nothing is sent yet."""
        self.address = address
        self._client = grpcclient.InferenceServerClient(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def ask(self, image: bytes) -> FrontDoorAnswer:
        """Return the answer to the content of one image file.

        Raises:
            RefusedImageError: the decoder refused it.
            FrontDoorError: anything else kept it from being answered.
        """
        tensor = grpcclient.InferInput(IMAGE_BYTES.name, [1, 1], IMAGE_BYTES.dtype)
        tensor.set_data_from_numpy(np.array([[image]], dtype=np.object_))
        names = (VALID_PROBABILITY.name, ACCEPTED.name, PROBABILITIES.name)
        outputs = [grpcclient.InferRequestedOutput(name) for name in names]
        try:
            result = self._client.infer(SCREENING, [tensor], outputs=outputs, client_timeout=CALL_TIMEOUT_S)
        except InferenceServerException as error:
            status = (error.status() or "").removeprefix("StatusCode.")
            message = error.message().removeprefix(f"in ensemble '{SCREENING}', ").strip()
            if status == "INVALID_ARGUMENT":
                raise RefusedImageError(message) from error
            first = message.splitlines()[0] if message else "no message"
            raise FrontDoorError(f"{status}: {first}") from error
        valid_probability, accepted, probabilities = (result.as_numpy(name)[0] for name in names)
        return FrontDoorAnswer(
            release=int(result.get_response().model_version),
            valid_probability=float(valid_probability[0]),
            accepted=bool(accepted[0]),
            probabilities=tuple(map(float, probabilities)),
        )
