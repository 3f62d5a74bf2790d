"""What can go wrong while a page is drawn.

    HilumError
    └── PageError
        ├── SourceError                 a source gave no usable answer
        │   ├── SourceUnreachableError  it does not answer, or not in time
        │   └── SourceLyingError        it answered something that cannot be true, or not in its own protocol
        └── OutdatedPageError           somebody decided since the page was read

The message of each is a key of the translations, so that it can be shown in the reader's language.
"""

from dashboard.language import mark, tr
from hilum.errors import HilumError, ServiceUnreachableError


class PageError(HilumError):
    """Base of what a page says where it cannot show or do something."""

    def __init__(self, message: str, **values: object) -> None:
        """Keep the message's key and what stands in its braces."""
        super().__init__(message.format(**values))
        self.message = message
        self.values = values

    @property
    def sentence(self) -> str:
        """The message in the reader's language, the source's name too where it is a word."""
        return tr(self.message, **{name: tr(str(value)) for name, value in self.values.items()})


class SourceError(PageError):
    """A source gave no usable answer; the rest of the page goes on without it."""


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


class OutdatedPageError(PageError):
    """Somebody decided since the page was read, so that what its reader confirmed is another decision now."""

    def __init__(self, *, seen: int | None, now: int | None) -> None:
        """Name the champion that the reader saw, and the one that there is."""
        super().__init__(
            mark(
                "The champion is release {now} now and was release {seen} when this page was read. "
                "Nothing was done: look again, then decide."
            ),
            seen=seen or "-",
            now=now or "-",
        )
