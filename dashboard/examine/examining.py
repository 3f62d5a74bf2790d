"""From files to answers: several asked at a time, each with an answer of its own, whatever the others do."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Protocol, TypeVar
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx

from clients.errors import RadiographRefusedError, TooLargeError
from clients.report import printable
from clients.results import Screening
from dashboard.errors import SourceError, SourceUnreachableError
from dashboard.examine.examination import REFUSALS, UNREADABLE, Examination
from dashboard.examine.viewer import as_jpeg
from dashboard.sources import triton_api
from hilum.contract import LABELS
from hilum.overlay import draw_overlay
from hilum.radiograph import RadiographError, decode_radiograph

IN_FLIGHT = 4
"""Pictures that one reader has at the server at a time."""

THUMBNAIL_PX = 128

_one_decode = Lock()
"""The largest picture that is decoded takes some 600 MB for a moment: one at a time, of all readers."""


class File(Protocol):
    """A file that a reader sent, as Streamlit hands it out."""

    name: str

    def getvalue(self) -> bytes:
        """Return its content."""


AnyFile = TypeVar("AnyFile", bound=File)


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
        picture=as_jpeg(_coloured(radiograph, screening)),
        screening=screening,
        operating_point=point,
    )


def examine_all(files: Iterable[AnyFile]) -> Generator[tuple[AnyFile, Examination], None, None]:
    """Yield each file with its answer, in their order; `IN_FLIGHT` are asked about at a time.

    After a server that is gone, the files that were not asked about share its error: a dead server costs
    one time-out, not one for each file.
    """
    gone: list[SourceError] = []

    def examine_one(file: AnyFile) -> Examination:
        if gone:
            return Examination(key=uuid4().hex, file=printable(file.name), error=gone[0])
        examination = examine(file.name, file.getvalue())
        if isinstance(examination.error, SourceUnreachableError) and triton_api.trouble():
            gone.append(examination.error)
        return examination

    # Streamlit's caches, behind which the connection is, want to know whom a thread works for.
    pool = ThreadPoolExecutor(
        IN_FLIGHT, "examine", initializer=add_script_run_ctx, initargs=(None, get_script_run_ctx())
    )
    waiting: deque[tuple[AnyFile, Future[Examination]]] = deque()
    try:
        for file in files:
            waiting.append((file, pool.submit(examine_one, file)))
            if len(waiting) > 2 * IN_FLIGHT:  # a slow file ahead leaves the others work to do
                yield _first(waiting)
        while waiting:
            yield _first(waiting)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _first(waiting: deque[tuple[AnyFile, Future[Examination]]]) -> tuple[AnyFile, Examination]:
    file, future = waiting.popleft()
    return file, future.result()


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


def _coloured(radiograph: NDArray[np.uint8], screening: Screening) -> Image.Image:
    """Return the radiograph with where the evidence for its finding lies, if there is one."""
    if screening.activation_map is None or screening.finding is None:
        return Image.fromarray(radiograph)
    return draw_overlay(radiograph, screening.activation_map[LABELS.index(screening.finding)])
