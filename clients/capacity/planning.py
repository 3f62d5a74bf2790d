"""How many replicas a rate of images needs, for answers within a time, and what they cost."""

import math
from dataclasses import dataclass
from functools import cache

from clients.capacity.replica import Replica
from clients.capacity.simulation import Simulation, simulate
from hilum.errors import UsageError

HOURS_PER_MONTH = 730.0

MAX_BUSY = 0.85
"""Share of a replica's capacity that is planned with, at most: above it a small surge makes a long queue,
and a simulation of finite length would not show it."""

_STEPS = 8
"""Halvings of the interval in which the rate of one replica is sought."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CapacityPlan:
    """An answer to "how many"."""

    rate: float
    """Images per second in all."""
    p95_s: float
    """Asked for: 95 of 100 answers come within this time, in seconds."""
    rate_per_replica: float
    """Images per second that one replica takes within that time."""
    replicas: int
    """Those that the rate needs, and one more, since one is always being updated or has just died."""
    simulated: Simulation
    """One replica under its share of the load, with the spare one answering too."""
    bottleneck: str
    """The part that gives way first."""
    bandwidth_bits_per_s: float
    """What all replicas together take in, in bits per second."""
    price_per_month: float
    """Of all replicas, spare one included."""
    price_per_million: float
    """For a million images at this rate, round the clock."""


def plan_capacity(
    replica: Replica, *, rate: float, p95_s: float, spare: int = 1, seed: int = 0
) -> CapacityPlan:
    """Return the smallest number of equal replicas that answers `rate` images per second in time.

    Arrivals are shared out by chance, as a load balancer does that knows nothing of queues.

    Raises:
        UsageError: even an idle replica takes longer than `p95_s`.
    """
    per_replica = sustained_rate(replica, p95_s, seed=seed)
    replicas = math.ceil(rate / per_replica) + spare
    per_hour = replicas * replica.price_per_hour
    return CapacityPlan(
        rate=rate,
        p95_s=p95_s,
        rate_per_replica=per_replica,
        replicas=replicas,
        simulated=simulate(replica, rate=rate / replicas, seed=seed),
        bottleneck=replica.bottleneck,
        bandwidth_bits_per_s=rate * replica.image_bytes * 8,
        price_per_month=per_hour * HOURS_PER_MONTH,
        price_per_million=per_hour / 3600 / rate * 1e6,
    )


@cache
def sustained_rate(replica: Replica, p95_s: float, *, seed: int = 0) -> float:
    """Return the images per second that one replica answers within `p95_s`, 95 times of 100.

    Raises:
        UsageError: even an idle replica takes longer.
    """
    low, high = replica.capacity / 100, replica.capacity * MAX_BUSY
    idle_s = simulate(replica, rate=low, images=1000, seed=seed).latency_s(0.95)
    if idle_s > p95_s:
        raise UsageError(
            f"An idle replica takes {idle_s * 1000:.0f} ms (95 of 100 answers), longer than the "
            f"{p95_s * 1000:.0f} ms asked for. Ask for more time, or use a faster device."
        )
    if simulate(replica, rate=high, seed=seed).latency_s(0.95) <= p95_s:
        return high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if simulate(replica, rate=middle, seed=seed).latency_s(0.95) <= p95_s:
            low = middle
        else:
            high = middle
    return low
