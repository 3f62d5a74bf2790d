"""Where the drop zone sends pictures: bounded, in memory, and answered without a run of the page."""

from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from clients.errors import OverloadedError
from dashboard.commands import MAX_UPLOAD_MIB
from dashboard.errors import SourceUnreachableError
from dashboard.examine.examination import FAULTS, REFUSALS
from dashboard.examine.examining import examine
from dashboard.examine.reader import find_reader
from dashboard.language import mark, speaking, tr
from dashboard.sources import triton_api
from hilum.decoding.refusals import TooManyBytesError

UPLOAD_PATH = "/pictures"

MAX_FILES = 50
"""Pictures that the drop zone takes at a time; what a reader drops beyond them is left."""

IN_FLIGHT = 4
"""Pictures that one drop zone sends at a time."""

MAX_ARRIVING_MIB = 256
"""Most of all readers' pictures together that arrive or are examined, in MiB."""

_LARGEST = MAX_UPLOAD_MIB * 2**20

_OUT_OF_DATE = mark("This page is out of date. Load it again, and send the picture again.")


class Uploads:
    """Answers pictures, for the readers who send them."""

    def __init__(self) -> None:
        """Wait for the first."""
        self._arriving = 0
        self.route = Route(UPLOAD_PATH, self._answer, methods=["POST"])
        """What the server has to route here."""

    async def _answer(self, request: Request) -> JSONResponse:
        """Examine the file in a request's body, and remember the answer for the reader whom its token names.

        The answer holds the file's name, `words` in the reader's language, the examination's `key`, and
        whether Triton is `gone`, so that sending more is of no use. No address names anything of a picture.
        """
        reader = find_reader(request.headers.get("Hilum-Reader", ""))
        if reader is None:
            return JSONResponse({"words": tr(_OUT_OF_DATE)}, 404)
        with speaking(reader.language):
            size = int(request.headers.get("Content-Length", _LARGEST))
            if size > _LARGEST:
                return JSONResponse({"words": tr(REFUSALS[TooManyBytesError.reason])}, 413)
            if self._arriving + size > MAX_ARRIVING_MIB * 2**20:
                return JSONResponse({"words": tr(FAULTS[OverloadedError])}, 503)
            self._arriving += size
            try:
                image = await _body(request)
                file = unquote(request.headers.get("Hilum-File", ""))
                examination = await run_in_threadpool(examine, file, image)
            except ClientDisconnect:
                return JSONResponse({}, 400)  # nobody is there to read it
            finally:
                self._arriving -= size
            reader.remember(examination)
            is_gone = isinstance(examination.error, SourceUnreachableError)
            return JSONResponse(
                {
                    "file": examination.file,
                    "words": examination.plain_words,
                    "key": examination.key,
                    "gone": is_gone and bool(await run_in_threadpool(triton_api.trouble)),
                }
            )


async def _body(request: Request) -> bytes:
    """Return a request's body; one that does not say its size is cut where it is too large to be read."""
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > _LARGEST:
            break
    return b"".join(chunks)
