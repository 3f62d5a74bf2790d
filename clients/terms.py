"""What a synchronous and an asynchronous client have in common: whom they call, and on which terms."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clients.errors import TooLargeError
from clients.results import Screening
from clients.retries import Retries
from hilum.contract import SCREENING
from hilum.errors import UsageError
from hilum.tls import TlsFiles

if TYPE_CHECKING:
    from clients.metrics import ClientMetrics

HEALTH_TIMEOUT_S = 5.0
"""Longest wait for the answer to "are you there?", in seconds."""


@dataclass(slots=True)
class Request:
    """One request under way."""

    began_s: float = field(default_factory=time.perf_counter)
    """When it began, by this process's clock, in seconds."""
    screening: Screening | None = None
    """The answer, once it is there."""
    duration_s: float = 0.0
    """What it took, in seconds, once it is over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """Whom a client calls, how long it waits, and how often it tries."""

    url: str
    """`host:port` of Triton's gRPC service; after `dns:///`, all addresses of the host in turn."""
    timeout_s: float = 30.0
    """Longest wait for one answer, retries included, in seconds."""
    model: str = SCREENING
    """The front door: the champion's, or `CHALLENGER_SCREENING`."""
    tls: TlsFiles | None = None
    """Whom to trust and what to show; None does not encrypt."""
    retries: int = 2
    """How often a request whose connection broke is sent again, 0 or more."""
    metrics: "ClientMetrics | None" = None
    """Told of every request."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"(dns:///)?[^\s/]+:\d+", self.url):
            raise UsageError(
                f"Triton's gRPC address must be host:port, such as 127.0.0.1:8001; got {self.url!r}."
            )
        if self.timeout_s <= 0:
            raise UsageError(f"The time allowed for an answer must be above 0 s, got {self.timeout_s:g} s.")
        if self.retries < 0:
            raise UsageError(f"A request may be sent again 0 times or more, got {self.retries}.")

    def make_retries(self) -> Retries:
        """Return the retries of a client on these terms."""
        on_retry = None if self.metrics is None else self.metrics.count_retry
        return Retries(self.retries, timeout_s=self.timeout_s, on_retry=on_retry)

    @contextmanager
    def observed(self) -> Iterator[Request]:
        """Time one request, which gets its answer inside the block, and tell the metrics what came of it."""
        request = Request()
        try:
            yield request
        except TooLargeError:  # nothing was sent
            raise
        except Exception as error:
            if self.metrics is not None:
                self.metrics.observe_error(error, time.perf_counter() - request.began_s)
            raise
        request.duration_s = time.perf_counter() - request.began_s
        if self.metrics is not None and request.screening is not None:
            self.metrics.observe_answer(request.screening, request.duration_s)
