"""Errors of the local Triton.

HilumError
|-- MissingTritonError    its binary, or a library that it needs, is not installed
`-- ServerFailedError     a server ended, or was not ready in time
"""

from collections.abc import Sequence
from pathlib import Path

from hilum.errors import HilumError


class MissingTritonError(HilumError):
    """The embedded Triton, or a library that it needs, is not installed."""


class ServerFailedError(HilumError):
    """A server ended although nobody stopped it, or was not ready in time."""

    def __init__(self, server: str, what: str, causes: Sequence[str] = (), log: Path | None = None) -> None:
        """Build the sentence.

        Args:
            server: name of the server.
            what: what happened, as the rest of a sentence ("ended with status 1").
            causes: the log's lines that tell why.
            log: the whole log, where it is a file.
        """
        lines = "".join(f"\n  {cause}" for cause in causes)
        where = f"\nThe whole log: {log}" if log else ""
        super().__init__(f"{server} {what}.{lines}{where}")
        self.causes = tuple(causes)
