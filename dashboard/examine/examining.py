"""From a file to its answer: whatever the file is and the server does, there is one."""

from threading import Lock
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clients.errors import RadiographRefusedError, TooLargeError
from clients.report import printable
from dashboard.errors import SourceError
from dashboard.examine.examination import REFUSALS, UNREADABLE, Examination
from dashboard.examine.viewer import as_jpeg
from dashboard.sources import triton_api
from hilum.radiograph import RadiographError, decode_radiograph

THUMBNAIL_PX = 128

_one_decode = Lock()
"""The largest picture that is decoded takes some 600 MB for a moment: one at a time, of all readers."""


def examine(file: str, image: bytes) -> Examination:
    """Ask the served release about the content of one file; never raises for what the file or server does."""
    key, file = uuid4().hex, printable(file)
    try:
        screening = triton_api.screen(image)
        point = triton_api.operating_point(screening.release)
        radiograph = _decode(image)
    except (RadiographRefusedError, TooLargeError):
        return Examination(key=key, file=file, trouble=REFUSALS.get(_reason(image), UNREADABLE))
    except (
        RadiographError
    ) as error:  # the server reads it, and this page does not: they are not of one release
        return Examination(key=key, file=file, trouble=REFUSALS.get(error.reason, UNREADABLE))
    except SourceError as error:
        return Examination(key=key, file=file, error=error)
    return Examination(
        key=key,
        file=file,
        radiograph=radiograph,
        thumbnail=as_jpeg(Image.fromarray(radiograph).resize((THUMBNAIL_PX, THUMBNAIL_PX))),
        screening=screening,
        operating_point=point,
    )


def _decode(image: bytes) -> NDArray[np.uint8]:
    """Return what the networks see of a file, (256, 256)."""
    with _one_decode:
        radiograph: NDArray[np.uint8] = decode_radiograph(image)[0]
        return radiograph


def _reason(image: bytes) -> str:
    """Return why the decoder, which the server shares, refuses a file."""
    try:
        _decode(image)
    except RadiographError as error:
        return error.reason
    return ""
