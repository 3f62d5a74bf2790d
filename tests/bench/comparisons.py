"""The serving benchmark's comparisons, each in rounds A B A B, so that a busy machine slows both sides.

A ratio is the median of the rounds' own ratios: a disturbance spoils one round, not the result.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from clients.load import LoadReport, run_load
from tests.bench.direct_loop import DirectLoop
from tests.bench.process_tree import cpu_time_s
from tests.bench.report import Measurement

IN_FLIGHT = 4
"""Requests in flight when throughput is measured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """How much each comparison sends."""

    rounds: int = 5
    """Rounds of A and B each."""
    requests: int = 60
    """Images on each side of a round."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """A running server, the yardstick beside it, and images whose answers are known."""

    url: str
    pid: int
    ready_s: float
    """From start to ready, in seconds."""
    direct: DirectLoop
    accepted: Sequence[bytes]
    rejected: Sequence[bytes]
    sizes: Sizes

    def load(self, images: Sequence[bytes], *, in_flight: int) -> LoadReport:
        """Send one round's images to the front door."""
        return run_load(self.url, images, requests=self.sizes.requests, in_flight=in_flight)


def compare_throughput(bench: Bench) -> list[Measurement]:
    """Compare images per second, JPEG bytes through the front door against ready tensors in a loop."""
    served, direct = _rounds(
        bench.sizes.rounds,
        lambda: bench.load(bench.accepted, in_flight=IN_FLIGHT).throughput,
        lambda: bench.direct.run(bench.sizes.requests).throughput,
    )
    return [
        Measurement(name="served_images_per_s", what="served, images/s", value=median(served)),
        Measurement(name="direct_images_per_s", what="direct loop, images/s", value=median(direct)),
        Measurement(
            name="throughput_ratio",
            what=f"throughput with {IN_FLIGHT} in flight, served / direct",
            value=_median_ratio(served, direct),
            at_least=0.85,
        ),
    ]


def compare_latency(bench: Bench) -> list[Measurement]:
    """Compare the median time of one image with nothing else under way."""
    served, direct = _rounds(
        bench.sizes.rounds,
        lambda: bench.load(bench.accepted, in_flight=1).latency_s(0.5),
        lambda: bench.direct.run(bench.sizes.requests, workers=1).latency_s(0.5),
    )
    return [
        Measurement(name="served_p50_s", what="served p50, s", value=median(served)),
        Measurement(name="direct_p50_s", what="direct loop p50, s", value=median(direct)),
        Measurement(
            name="p50_ratio",
            what="p50 with one in flight, served / direct",
            value=_median_ratio(served, direct),
            at_most=1.15,
        ),
    ]


def compare_cpu_time(bench: Bench) -> list[Measurement]:
    """Compare the server's CPU time for an image that the filter rejects with one that it accepts."""

    def cpu_s_per_image(images: Sequence[bytes]) -> float:
        before = cpu_time_s(bench.pid)
        bench.load(images, in_flight=IN_FLIGHT)
        return (cpu_time_s(bench.pid) - before) / bench.sizes.requests

    rejected, accepted = _rounds(
        bench.sizes.rounds,
        lambda: cpu_s_per_image(bench.rejected),
        lambda: cpu_s_per_image(bench.accepted),
    )
    return [
        Measurement(name="rejected_cpu_s", what="server CPU, rejected image, s", value=median(rejected)),
        Measurement(name="accepted_cpu_s", what="server CPU, accepted image, s", value=median(accepted)),
        Measurement(
            name="rejected_cpu_ratio",
            what="server CPU, rejected / accepted",
            value=_median_ratio(rejected, accepted),
            at_most=0.25,
        ),
    ]


def _rounds(
    count: int, first: Callable[[], float], second: Callable[[], float]
) -> tuple[list[float], list[float]]:
    """Return what both measure in `count` rounds, taken in turn."""
    pairs = [(first(), second()) for _ in range(count)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    return median(above / below for above, below in zip(numerators, denominators, strict=True))
