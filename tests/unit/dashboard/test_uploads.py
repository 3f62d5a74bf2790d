"""What readers send is bounded, and does not touch the disk."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from starlette.formparsers import MultiPartParser

from dashboard import uploads
from dashboard.commands import MAX_UPLOAD_MIB
from dashboard.uploads import MAX_WAITING_MIB, UploadBudget

MIB = 2**20


class Streamlit:
    """Takes what the budget lets pass, and does `meanwhile` before it is done with it."""

    def __init__(self) -> None:
        self.taken = 0
        self.meanwhile: Callable[[], Any] = lambda: None

    async def __call__(self, _scope: Any, _receive: Any, _send: Any) -> None:
        self.taken += 1
        work, self.meanwhile = self.meanwhile, lambda: None
        result = work()
        if result is not None:
            await result


@pytest.fixture
def streamlit() -> Streamlit:
    return Streamlit()


@pytest.fixture
def budget(streamlit: Streamlit, monkeypatch: pytest.MonkeyPatch) -> UploadBudget:
    monkeypatch.setattr(uploads, "_waiting", lambda: 100 * MIB)
    return UploadBudget(streamlit)


async def status(
    budget: UploadBudget, size: int | None, method: str = "PUT", path: str = "/_stcore/upload_file/a/b"
) -> int | None:
    """Return what a request is refused with; None where it passes."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("a file that is refused is not read")

    headers = [] if size is None else [(b"content-length", str(size).encode())]
    await budget({"type": "http", "method": method, "path": path, "headers": headers}, receive, send)
    return sent[0]["status"] if sent else None


@pytest.mark.parametrize(
    ("size", "expected"),
    [(1, None), ((MAX_WAITING_MIB - 100) * MIB, None), ((MAX_WAITING_MIB - 100) * MIB + 1, 413)],
)
def test_a_file_passes_where_those_that_wait_leave_room(
    budget: UploadBudget, streamlit: Streamlit, size: int, expected: int | None
) -> None:
    assert asyncio.run(status(budget, size)) == expected
    assert streamlit.taken == (expected is None)


def test_files_that_arrive_count_until_they_have(budget: UploadBudget, streamlit: Streamlit) -> None:
    size = (MAX_WAITING_MIB - 100) * MIB
    seen: list[int | None] = []

    async def another() -> None:
        seen.append(await status(budget, 1))

    streamlit.meanwhile = another
    assert asyncio.run(status(budget, size)) is None
    assert seen == [413]
    assert asyncio.run(status(budget, size)) is None, "the first is through"


def test_a_file_that_does_not_say_its_size_counts_as_the_largest(
    budget: UploadBudget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_waiting", lambda: (MAX_WAITING_MIB - MAX_UPLOAD_MIB) * MIB + 1)
    assert asyncio.run(status(budget, None)) == 413


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("DELETE", "/_stcore/upload_file/a/b"), ("PUT", "/elsewhere")]
)
def test_all_else_passes(budget: UploadBudget, method: str, path: str) -> None:
    assert asyncio.run(status(budget, 10**12, method, path)) is None


def test_a_file_on_its_way_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MultiPartParser, "spool_max_size", MIB)
    import importlib

    from dashboard import server

    importlib.reload(server)
    assert MultiPartParser.spool_max_size > MAX_UPLOAD_MIB * MIB
