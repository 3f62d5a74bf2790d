"""The queueing simulation behind `hilum capacity` against the real server, at a light and at a heavy load.

The service times that the simulation is given are measured in the same run, one image at a time: if its
queues were wrong, the two loads could not both agree.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from clients.capacity.replica import Replica
from clients.capacity.simulation import simulate
from clients.load import run_arrivals
from hilum.radiograph import decode_radiograph
from tests.bench.comparisons import IN_FLIGHT, Bench, Sizes
from tests.bench.process_tree import cpu_time_s
from tests.bench.report import Measurement
from tests.bench.serving import serving_bench

LOADS = (0.35, 0.75)
"""Arrivals as shares of what the replica takes."""


def compare_scaling(repository: Path, images: Path | None, sizes: Sizes) -> list[Measurement]:
    """Measure the service times of one replica, then compare simulated with real latencies.

    Raises:
        UsageError: no release is in the repository, or the images do not fit its filter.
    """
    with serving_bench(repository, images, sizes) as bench:
        replica = measure_replica(bench)
        found = [
            Measurement(name="decode_s", what="decoding, CPU s per image", value=replica.decode_s),
            Measurement(
                name="networks_image_s", what="networks, CPU s per image", value=replica.networks_image_s
            ),
            Measurement(name="transport_s", what="the rest, CPU s per image", value=replica.transport_s),
            Measurement(name="capacity_images_per_s", what="capacity, images/s", value=replica.capacity),
        ]
        for load in LOADS:
            found += _compare(bench, replica, load)
        return found


def measure_replica(bench: Bench) -> Replica:
    """Return the service times of the running server, as the simulation wants them."""
    workers = len(os.sched_getaffinity(0))
    before = cpu_time_s(bench.pid)
    bench.load(bench.accepted, in_flight=IN_FLIGHT)
    image_cpu_s = (cpu_time_s(bench.pid) - before) / bench.sizes.requests
    decode_s = _decode_s(bench.accepted)
    networks_s = workers / bench.direct.run(bench.sizes.requests).throughput
    return Replica(
        origin="measured in this run",
        cores=workers,
        decode_s=decode_s,
        decoders=workers,
        transport_s=max(0.0, image_cpu_s - decode_s - networks_s),
        networks_batch_s=0.0,
        networks_image_s=networks_s,
        instances=workers,
        image_bytes=round(mean(map(len, bench.accepted))),
        bandwidth_bits_per_s=1e9,
        price_per_hour=0.0,
    )


def _decode_s(images: Sequence[bytes]) -> float:
    """Return the mean time to decode a file, in seconds, once everything is warm."""
    for image in images:
        decode_radiograph(image)
    start = time.process_time()
    for image in images:
        decode_radiograph(image)
    return (time.process_time() - start) / len(images)


def _compare(bench: Bench, replica: Replica, load: float) -> list[Measurement]:
    rate = load * replica.capacity
    simulated = simulate(replica, rate=rate, images=20_000)
    served = run_arrivals(bench.url, bench.accepted, requests=4 * bench.sizes.requests, rate=rate)
    percent = f"{load:.0%} load"
    return [
        measurement
        for name, quantile in (("p50", 0.5), ("p95", 0.95))
        for measurement in (
            Measurement(
                name=f"served_{name}_at_{load:g}_s",
                what=f"{name} at {percent}, served, s",
                value=served.latency_s(quantile),
            ),
            Measurement(
                name=f"{name}_at_{load:g}_ratio",
                what=f"{name} at {percent}, simulated / served",
                value=simulated.latency_s(quantile) / served.latency_s(quantile),
                at_least=0.7,
                at_most=1.3,
            ),
        )
    ]
