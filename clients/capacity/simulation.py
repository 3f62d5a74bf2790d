"""A queueing simulation of one replica: images arrive by chance, wait for a process, a core, a GPU.

Arrivals are Poisson, as those of many independent callers are. A step of the pipeline holds one of
its processes, and while it computes one core (or, for networks on a GPU, one GPU), so that decoding
and networks slow each other down where they share cores. Service times do not vary.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from clients.capacity.replica import Replica

WARM_UP_SHARE = 0.1
"""Share of the first images that are not counted: the queue is empty at the start."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Simulation:
    """What callers and machine saw of one replica under one load."""

    latencies_s: NDArray[np.float64]
    """(N,) time from arrival to answer, in seconds."""
    busy: Mapping[str, float]
    """Share of the time that `cpu` and, where there is one, `gpu` were busy, in [0, 1]."""
    mean_batch: float
    """Images that were answered together, on average."""

    def latency_s(self, quantile: float) -> float:
        """Return a quantile in [0, 1] of the latencies, in seconds."""
        return float(np.quantile(self.latencies_s, quantile))


def simulate(replica: Replica, *, rate: float, images: int = 4000, seed: int = 0) -> Simulation:
    """Send `images` at `rate` per second through one replica.

    Args:
        replica: what it is made of.
        rate: mean arrivals per second; above `replica.capacity` the queue grows until the images run out.
        images: how many to send, 100 or more.
        seed: of the arrival times and of which images are accepted.
    """
    run = _Run(replica, np.random.default_rng(seed))
    run.environment.process(run.arrivals(rate, images))
    run.environment.run()
    counted = np.array(run.latencies_s[int(images * WARM_UP_SHARE) :])
    duration_s = run.environment.now
    busy = {"cpu": run.busy_s["cpu"] / (duration_s * replica.cores)}
    if replica.gpus:
        busy["gpu"] = run.busy_s["gpu"] / (duration_s * replica.gpus)
    return Simulation(latencies_s=counted, busy=busy, mean_batch=images / run.batches)


@dataclass
class _Run:
    """The state of one simulation."""

    replica: Replica
    random: np.random.Generator
    environment: simpy.Environment = field(default_factory=simpy.Environment)
    latencies_s: list[float] = field(default_factory=list)
    busy_s: dict[str, float] = field(default_factory=lambda: {"cpu": 0.0, "gpu": 0.0})
    batches: int = 0

    def __post_init__(self) -> None:
        """Open the stations."""
        self._cpu = simpy.Resource(self.environment, self.replica.cores)
        self._gpu = simpy.Resource(self.environment, max(1, self.replica.gpus))
        self._decoders = simpy.Resource(self.environment, self.replica.decoders)
        self._waiting: simpy.Store = simpy.Store(self.environment)
        for _ in range(self.replica.instances * max(1, self.replica.gpus)):
            self.environment.process(self._instance())

    def arrivals(self, rate: float, images: int) -> Generator[simpy.Event, Any, None]:
        """Let images arrive."""
        for gap_s in self.random.exponential(1 / rate, images):
            yield self.environment.timeout(gap_s)
            self.environment.process(self._image())

    def _image(self) -> Generator[simpy.Event, Any, None]:
        start = self.environment.now
        with self._decoders.request() as decoder:
            yield decoder
            yield from self._compute("cpu", self.replica.decode_s)
        answered = self.environment.event()
        yield self._waiting.put(answered)
        yield answered
        yield from self._compute("cpu", self.replica.transport_s)
        self.latencies_s.append(self.environment.now - start)

    def _instance(self) -> Generator[simpy.Event, Any, None]:
        """Answer what waits, as many at a time as a batch takes: Triton's dynamic batching without delay."""
        replica = self.replica
        while True:
            batch = [(yield self._waiting.get())]
            while self._waiting.items and len(batch) < replica.max_batch:
                batch.append((yield self._waiting.get()))
            accepted = int(self.random.binomial(len(batch), replica.accepted_share))
            weight = accepted + (len(batch) - accepted) * replica.rejected_cost
            yield from self._compute(
                replica.device, replica.networks_batch_s + replica.networks_image_s * weight
            )
            self.batches += 1
            for answered in batch:
                answered.succeed()

    def _compute(self, device: str, seconds: float) -> Generator[simpy.Event, Any, None]:
        with (self._gpu if device == "gpu" else self._cpu).request() as turn:
            yield turn
            yield self.environment.timeout(seconds)
        self.busy_s[device] += seconds
