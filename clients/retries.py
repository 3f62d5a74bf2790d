"""Asks again where a connection broke: a server that is replaced costs its callers a moment and no error.

Only what never reached Triton, or was cut off, is tried again: asking twice changes nothing there. What the
server itself says is final, "too many requests are waiting" above all, which more requests would not mend.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tenacity import (
    AsyncRetrying,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from clients.errors import ServerUnreachableError

FIRST_WAIT_S = 0.1
"""Longest wait before the first retry, in seconds; it doubles with each further one, and is drawn at random
from zero up, so that many callers do not come back at once."""

LONGEST_WAIT_S = 2.0
"""Longest wait before any retry, in seconds."""

T = TypeVar("T")


class Retries:
    """Calls that may be made again while their time lasts; threads and tasks may share it."""

    def __init__(self, count: int, *, timeout_s: float, on_retry: Callable[[], None] | None = None) -> None:
        """Prepare.

        Args:
            count: how often a call may be made again, 0 or more.
            timeout_s: longest time for a call and all its retries, in seconds.
            on_retry: told of each retry.
        """
        self._timeout_s = timeout_s
        policy: dict[str, Any] = {
            "retry": retry_if_exception_type(ServerUnreachableError),
            "stop": stop_after_attempt(count + 1) | stop_before_delay(timeout_s),
            "wait": wait_random_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S),
            "before_sleep": None if on_retry is None else lambda _: on_retry(),
            "reraise": True,
        }
        self._retrying = Retrying(**policy)
        self._retrying_async = AsyncRetrying(**policy)

    def call(self, attempt: Callable[[float], T]) -> T:
        """Return what `attempt` returns; it is given the seconds that are left to it.

        Raises:
            HilumError: the last attempt's error.
        """
        deadline = time.monotonic() + self._timeout_s
        return self._retrying(lambda: attempt(deadline - time.monotonic()))

    async def call_async(self, attempt: Callable[[float], Awaitable[T]]) -> T:
        """Return what `attempt` returns, as `call` does."""
        deadline = time.monotonic() + self._timeout_s

        async def once() -> T:
            return await attempt(deadline - time.monotonic())

        return await self._retrying_async(once)
