"""Bounds on what readers send: how many files, how many bytes, and that the content is soon forgotten.

Streamlit bounds one file. It keeps all that a reader dropped in memory until the reader leaves, however
many files there are.
"""

from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse
from streamlit.runtime import get_instance
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.stats import CACHE_MEMORY_FAMILY

from dashboard.commands import MAX_UPLOAD_MIB

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send
    from streamlit.runtime.uploaded_file_manager import UploadedFile

MAX_FILES = 50
"""Pictures that are examined at a time; what a reader drops beyond them is left."""

MAX_WAITING_MIB = 256
"""Most of all readers' files together that wait to be examined, in MiB."""

_PATH = "/_stcore/upload_file/"


def forget(file: "UploadedFile") -> None:
    """Drop a file's content; Streamlit no longer hands the file out."""
    file.close()
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)


class UploadBudget:
    """Refuses a file, before it is read, where those that wait leave no room for it."""

    def __init__(self, app: "ASGIApp") -> None:
        """Stand before `app`."""
        self._app = app
        self._arriving = 0

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != "http" or scope["method"] != "PUT" or _PATH not in scope["path"]:
            await self._app(scope, receive, send)
            return
        size = int(dict(scope["headers"]).get(b"content-length", MAX_UPLOAD_MIB * 2**20))
        if _waiting() + self._arriving + size > MAX_WAITING_MIB * 2**20:
            await PlainTextResponse("Too many files wait: send fewer at a time.", 413)(scope, receive, send)
            return
        self._arriving += size
        try:
            await self._app(scope, receive, send)
        finally:
            self._arriving -= size


def _waiting() -> int:
    """Return how many bytes of files Streamlit holds."""
    manager = get_instance().uploaded_file_mgr
    assert isinstance(manager, MemoryUploadedFileManager)
    return sum(stat.byte_length for stat in manager.get_stats().get(CACHE_MEMORY_FAMILY, ()))
