"""One image of this reader: what came of it, in plain words and as a row of a table to keep.

It lives in the reader's own session, in memory, and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clients import report
from clients.batch import Outcome
from clients.errors import DeadlineExceededError, ModelNotReadyError, OverloadedError
from clients.results import Screening
from dashboard.errors import SourceError, SourceUnreachableError
from dashboard.language import mark, tr
from dashboard.look import label_name
from hilum.contract import LABELS
from hilum.decoding.refusals import (
    CorruptFileError,
    EmptyFileError,
    MultiFrameError,
    NoPixelsError,
    TooElongatedError,
    TooManyBytesError,
    TooManyPixelsError,
    TooSmallError,
    UnsupportedFormatError,
)
from hilum.errors import HilumError
from hilum.operating_point import OperatingPoint

REFUSALS = {
    EmptyFileError.reason: mark("The file is empty. Export it again."),
    TooManyBytesError.reason: mark("The file is too large. Save it as a JPEG and try again."),
    TooManyPixelsError.reason: mark("The picture has more pixels than a chest film can have."),
    TooSmallError.reason: mark("The picture is too small to be read."),
    TooElongatedError.reason: mark("The picture is far too long or too wide to be a chest film."),
    UnsupportedFormatError.reason: mark("This kind of file cannot be read. Use JPEG, PNG, TIFF or DICOM."),
    CorruptFileError.reason: mark("The file is damaged. Export it again from where it came from."),
    MultiFrameError.reason: mark("The file holds several pictures. Send one picture per file."),
    NoPixelsError.reason: mark("The DICOM file holds no picture."),
}
"""What to tell a reader, by the decoder's reason."""

UNREADABLE = mark("This file cannot be read as a radiograph.")

FAULTS = {
    DeadlineExceededError: mark("The service took too long to answer. Send the picture again later."),
    OverloadedError: mark("The service has too much to do now. Send the picture again in a minute."),
    ModelNotReadyError: mark("The service runs, but no release answers yet. Tell whoever operates it."),
}
"""What to tell a reader, by what the client met at the server."""

ABSENT = mark("The service does not answer, so this picture was not examined. Send it again later.")

NONSENSE = mark(
    "The service gave an answer that cannot be true, so it is not shown. Tell whoever operates it."
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Examination:
    """One image and its answer, or why there is none."""

    key: str
    """Names its widgets."""
    file: str
    """The file's own name, shown to this reader only."""
    radiograph: NDArray[np.uint8] | None = None
    """(256, 256) as the networks saw it; None where it could not be read."""
    thumbnail: bytes = b""
    """The radiograph as a small JPEG; empty where there is none."""
    screening: Screening | None = None
    operating_point: OperatingPoint | None = None
    trouble: str = ""
    """What is wrong with the file, as a key of the translations."""
    error: SourceError | None = None
    """What the server failed with."""

    @property
    def nbytes(self) -> int:
        """The memory that its pictures take, in bytes."""
        maps = None if self.screening is None else self.screening.activation_map
        return len(self.thumbnail) + sum(
            array.nbytes for array in (self.radiograph, maps) if array is not None
        )

    @property
    def words(self) -> str:
        """The answer as a sentence for somebody who never heard of networks."""
        if self.error is not None:
            absent = ABSENT if isinstance(self.error, SourceUnreachableError) else NONSENSE
            return tr(FAULTS.get(type(self.error.__cause__), absent))
        if self.screening is None:
            return tr(self.trouble)
        if self.screening.probabilities is None:
            return tr(
                "This does not look like an upright frontal chest radiograph, so it was not examined further."
            )
        assert self.screening.finding is not None
        percent = round(100 * self.screening.probabilities[self.screening.finding])
        if self.screening.finding == LABELS[0]:
            return tr(
                "Nothing to report: no finding is strong enough ({percent} % for “no finding”).",
                percent=percent,
            )
        return tr(
            "Worth a look: the picture resembles those with **{finding}** ({percent} %).",
            finding=label_name(self.screening.finding),
            percent=percent,
        )

    @property
    def plain_words(self) -> str:
        """The same sentence without marks of Markdown."""
        return self.words.replace("**", "")

    @property
    def short_words(self) -> str:
        """The answer in two or three words, to stand under a thumbnail."""
        if self.screening is None:
            return tr("no answer")
        if self.screening.finding is None:
            return tr("no frontal chest film")
        return label_name(self.screening.finding)


def as_csv(examinations: Sequence[Examination]) -> bytes:
    """Return the answers as the table that `hilum predict --csv` writes, one row per image."""
    return report.as_csv(
        [
            Outcome(
                file=examination.file,
                screening=examination.screening,
                error=None if examination.screening else HilumError(examination.words),
            )
            for examination in examinations
        ]
    )
