"""A broken connection is tried again while there is time; what the server says is final."""

import asyncio
import time
from collections.abc import Iterable

import pytest

from clients.errors import DeadlineExceededError, OverloadedError, ServerUnreachableError, TlsError
from clients.retries import Retries
from hilum.errors import HilumError

ADDRESS = "127.0.0.1:8001"
BROKEN = ServerUnreachableError(ADDRESS, "Socket closed")


class Calls:
    """A call that fails in given ways before it succeeds."""

    def __init__(self, failures: Iterable[HilumError]) -> None:
        self.failures = list(failures)
        self.left_s: list[float] = []

    def __call__(self, left_s: float) -> str:
        self.left_s.append(left_s)
        if self.failures:
            raise self.failures.pop(0)
        return "answer"


def test_a_broken_connection_is_tried_again_within_the_same_time() -> None:
    calls, told = Calls([BROKEN, BROKEN]), []
    assert Retries(2, timeout_s=30, on_retry=lambda: told.append(1)).call(calls) == "answer"
    assert len(told) == 2
    first, second, third = calls.left_s
    assert 30 >= first >= second >= third > 25


def test_the_last_failure_is_told() -> None:
    calls = Calls([BROKEN] * 3)
    with pytest.raises(ServerUnreachableError, match="Socket closed"):
        Retries(2, timeout_s=30).call(calls)
    assert len(calls.left_s) == 3


def test_zero_is_once() -> None:
    calls = Calls([BROKEN])
    with pytest.raises(ServerUnreachableError):
        Retries(0, timeout_s=30).call(calls)
    assert len(calls.left_s) == 1


@pytest.mark.parametrize(
    "final",
    [
        OverloadedError(ADDRESS, "Exceeds maximum queue size"),
        DeadlineExceededError(ADDRESS, 30),
        TlsError(ADDRESS, "The server's certificate has expired."),
    ],
)
def test_what_another_attempt_would_not_mend_is_final(final: HilumError) -> None:
    calls = Calls([final])
    with pytest.raises(type(final)):
        Retries(5, timeout_s=30).call(calls)
    assert len(calls.left_s) == 1


def test_no_attempt_begins_after_the_time_allowed() -> None:
    calls = Calls([BROKEN] * 1000)
    start = time.monotonic()
    with pytest.raises(ServerUnreachableError):
        Retries(1000, timeout_s=0.3).call(calls)
    assert time.monotonic() - start < 5
    assert min(calls.left_s) > -0.1
    assert len(calls.left_s) < 1000


def test_asyncio_tries_again_alike() -> None:
    calls, told = Calls([BROKEN, BROKEN]), []

    async def attempt(left_s: float) -> str:
        return calls(left_s)

    retries = Retries(2, timeout_s=30, on_retry=lambda: told.append(1))
    assert asyncio.run(retries.call_async(attempt)) == "answer"
    assert len(told) == 2
    assert calls.left_s == sorted(calls.left_s, reverse=True)
    calls.failures = [OverloadedError(ADDRESS, "Exceeds maximum queue size")]
    with pytest.raises(OverloadedError):
        asyncio.run(retries.call_async(attempt))
