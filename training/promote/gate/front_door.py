"""Asks the front door of a temporary Triton, by many threads at once if need be."""

from types import TracebackType
from typing import Self

from tritonclient.utils import InferenceServerException

from hilum.contract import SCREENING
from hilum.errors import HilumError
from hilum.triton.channel import connect
from training.promote.asking import FrontDoorAnswer, ask

CALL_TIMEOUT_S = 60.0
"""Longest wait for one answer, in seconds."""


class RefusedImageError(HilumError):
    """The decoder refused the bytes; the message is its sentence."""


class FrontDoorError(HilumError):
    """The front door failed on an image, or did not answer."""


class FrontDoor:
    """A connection to one Triton, which threads may share; a context manager that closes it.

    A temporary Triton answers this machine only, so nothing is encrypted.
    """

    def __init__(self, address: str) -> None:
        """Prepare a connection to `host:port`; nothing is sent yet."""
        self.address = address
        self._client = connect(address, None)

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
        try:
            return ask(self._client, image, door=SCREENING, timeout_s=CALL_TIMEOUT_S)
        except InferenceServerException as error:
            status = (error.status() or "").removeprefix("StatusCode.")
            message = error.message().removeprefix(f"in ensemble '{SCREENING}', ").strip()
            if status == "INVALID_ARGUMENT":
                raise RefusedImageError(message) from error
            first = message.splitlines()[0] if message else "no message"
            raise FrontDoorError(f"{status}: {first}") from error
