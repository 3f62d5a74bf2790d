"""A load generator: a fixed number of requests in flight, a fixed number in all, and what they took."""

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferInput

from clients.grpc_status import translated
from clients.messages import CHANNEL_OPTIONS, image_input, requested_outputs
from hilum.contract import SCREENING
from hilum.errors import UsageError
from hilum.tls import TlsFiles
from hilum.triton.channel import connect_async


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LoadReport:
    """What a run of requests took."""

    duration_s: float
    """From the first request to the last answer, in seconds."""
    latencies_s: NDArray[np.float64]
    """(N,) time from request to answer, in seconds, in the order of the answers."""

    @property
    def throughput(self) -> float:
        """Answers per second."""
        return len(self.latencies_s) / self.duration_s

    def latency_s(self, quantile: float) -> float:
        """Return a quantile in [0, 1] of the latencies, in seconds: 0.5 is the median."""
        return float(np.quantile(self.latencies_s, quantile))


def run_load(
    url: str,
    images: Sequence[bytes],
    *,
    requests: int,
    in_flight: int,
    timeout_s: float = 30.0,
    tls: TlsFiles | None = None,
    allow_remote: bool = False,
) -> LoadReport:
    """Send `requests` images to the front door, `in_flight` at a time, and time each answer.

    Args:
        url: `host:port` of Triton's gRPC service.
        images: file contents, sent in turn as often as needed.
        requests: how many to send in all, 1 or more.
        in_flight: how many to keep under way, 1 or more.
        timeout_s: longest wait for one answer, in seconds; nothing is sent twice.
        tls: whom to trust and what to show; None does not encrypt.
        allow_remote: also load a server on another machine, which others may be using.

    Raises:
        UsageError: a number is below 1, there is no image, or the server is not on this machine.
        HilumError: the first request that failed ends the run (`clients.errors`).
    """
    if min(requests, in_flight, len(images)) < 1:
        raise UsageError(
            f"A load needs at least one request, one in flight and one image; "
            f"got {requests}, {in_flight} and {len(images)}."
        )
    if not (allow_remote or is_loopback(url)):
        raise UsageError(f"{url} is not on this machine. Load on it must be allowed with allow_remote=True.")
    return asyncio.run(_run_load(url, images, requests, in_flight, timeout_s, tls))


def run_arrivals(
    url: str,
    images: Sequence[bytes],
    *,
    requests: int,
    rate: float,
    timeout_s: float = 30.0,
    seed: int = 0,
    tls: TlsFiles | None = None,
) -> LoadReport:
    """Send images to a server on this machine as many independent callers would: whether or not it keeps up.

    Arrivals are Poisson (exponential gaps), so that latencies hold the waiting in queues that a fixed
    number in flight hides.

    Args:
        url: `host:port` of Triton's gRPC service.
        images: file contents, sent in turn as often as needed.
        requests: how many to send in all, 1 or more.
        rate: mean requests per second.
        timeout_s: longest wait for one answer, in seconds; nothing is sent twice.
        seed: of the gaps.
        tls: whom to trust and what to show; None does not encrypt.

    Raises:
        UsageError: a number is too small, there is no image, or the server is not on this machine.
        HilumError: the first request that failed ends the run.
    """
    if min(requests, len(images)) < 1 or rate <= 0:
        raise UsageError(
            f"A load needs a request, an image and a rate; got {requests}, {len(images)} and {rate}."
        )
    if not is_loopback(url):
        raise UsageError(f"{url} is not on this machine, and others may be using it.")
    gaps_s = np.random.default_rng(seed).exponential(1 / rate, requests)
    return asyncio.run(_run_arrivals(url, images, gaps_s, timeout_s, tls))


def is_loopback(url: str) -> bool:
    """Tell whether `host:port` names this machine itself."""
    host = url.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _run_arrivals(
    url: str,
    images: Sequence[bytes],
    gaps_s: NDArray[np.float64],
    timeout_s: float,
    tls: TlsFiles | None,
) -> LoadReport:
    async with _timed(url, timeout_s, tls) as (send, latencies_s):
        inputs = cycle([image_input(image) for image in images])
        start = time.perf_counter()
        tasks = []
        for due_s in np.cumsum(gaps_s):
            await asyncio.sleep(max(0.0, start + due_s - time.perf_counter()))
            tasks.append(asyncio.create_task(send(next(inputs))))
        await asyncio.gather(*tasks)
        duration_s = time.perf_counter() - start
    return LoadReport(duration_s=duration_s, latencies_s=np.array(latencies_s))


async def _run_load(
    url: str,
    images: Sequence[bytes],
    requests: int,
    in_flight: int,
    timeout_s: float,
    tls: TlsFiles | None,
) -> LoadReport:
    async with _timed(url, timeout_s, tls) as (send, latencies_s):
        queue = islice(cycle([image_input(image) for image in images]), requests)

        async def work() -> None:
            for tensor in queue:
                await send(tensor)

        start = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(in_flight)))
        duration_s = time.perf_counter() - start
    return LoadReport(duration_s=duration_s, latencies_s=np.array(latencies_s))


@asynccontextmanager
async def _timed(
    url: str, timeout_s: float, tls: TlsFiles | None
) -> AsyncIterator[tuple[Callable[[InferInput], Coroutine[Any, Any, None]], list[float]]]:
    """Yield what sends one image over a shared connection, and the latencies in seconds that it adds to."""
    outputs = requested_outputs()
    latencies_s: list[float] = []
    async with connect_async(url, tls, options=CHANNEL_OPTIONS) as client:

        async def send(tensor: InferInput) -> None:
            start = time.perf_counter()
            with translated(url, timeout_s, tls=tls):
                await client.infer(SCREENING, [tensor], outputs=outputs, client_timeout=timeout_s)
            latencies_s.append(time.perf_counter() - start)

        yield send, latencies_s
