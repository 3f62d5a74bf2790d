"""What can go wrong while a page is drawn.

    HilumError
    └── SourceError                 a source gave no usable answer
        ├── SourceUnreachableError  it does not answer, or not in time
        └── SourceLyingError        it answered something that cannot be true, or not in its own protocol

The message of each is a key of the translations, so that it can be shown in the reader's language.
"""

from dashboard.language import mark
from hilum.errors import HilumError, ServiceUnreachableError


class SourceError(HilumError):
    """A source gave no usable answer; the rest of the page goes on without it."""

    def __init__(self, message: str, **values: object) -> None:
        """Keep the message's key and what stands in its braces."""
        super().__init__(message.format(**values))
        self.message = message
        self.values = values


class SourceUnreachableError(SourceError):
    """A source does not answer."""

    exit_code = ServiceUnreachableError.exit_code

    def __init__(self, source: str, address: str, reason: str) -> None:
        """Name the source, where it was asked, and the cause."""
        super().__init__(
            mark("{source} at {address} does not answer ({reason}). `hilum status` says what runs."),
            source=source,
            address=address,
            reason=reason,
        )


class SourceLyingError(SourceError):
    """A source answered, but not with something that can be shown."""

    def __init__(self, source: str, address: str, reason: str) -> None:
        """Name the source, where it was asked, and what is wrong with its answer."""
        super().__init__(
            mark("{source} at {address} gave an answer that cannot be read ({reason})."),
            source=source,
            address=address,
            reason=reason,
        )
