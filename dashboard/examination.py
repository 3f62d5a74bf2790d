"""One image of this reader: what came of it, in plain words and as a file to keep.

It lives in the reader's own session, in memory, and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from clients import report
from clients.batch import Outcome
from clients.errors import RadiographRefusedError, TooLargeError
from clients.results import Screening
from dashboard.errors import SourceError
from dashboard.language import mark, tr
from dashboard.look import label_name
from dashboard.sources import triton_api
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
from hilum.radiograph import RadiographError, decode_radiograph

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


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Examination:
    """One image and its answer, or why there is none."""

    key: str
    """Names its widgets."""
    file: str
    """The file's own name, shown to this reader only."""
    radiograph: NDArray[np.uint8] | None = None
    """(256, 256) as the networks saw it; None where it could not be read."""
    screening: Screening | None = None
    operating_point: OperatingPoint | None = None
    trouble: str = ""
    """Why there is no answer, as a key of the translations."""
    error: SourceError | None = None
    """What the server failed with."""

    @property
    def words(self) -> str:
        """The answer as a sentence for somebody who never heard of networks."""
        if self.error is not None:
            return tr(self.error.message, **self.error.values)
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


def examine(file: str, image: bytes) -> Examination:
    """Ask the served release about the content of one file; never raises for what the file or server does."""
    key = uuid4().hex
    try:
        screening = triton_api.screen(image)
        point = triton_api.operating_point(screening.release)
        return Examination(
            key=key,
            file=file,
            radiograph=decode_radiograph(image)[0],
            screening=screening,
            operating_point=point,
        )
    except (RadiographRefusedError, TooLargeError):
        return Examination(key=key, file=file, trouble=REFUSALS.get(_reason(image), _UNREADABLE))
    except SourceError as error:
        return Examination(key=key, file=file, error=error)


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


_UNREADABLE = mark("This file cannot be read as a radiograph.")


def _reason(image: bytes) -> str:
    """Return why the decoder, which the server shares, refuses a file."""
    try:
        decode_radiograph(image)
    except RadiographError as error:
        return error.reason
    return ""
