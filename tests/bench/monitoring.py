"""What watching costs: the same release behind its monitor, and behind one that only passes tensors through.

Two servers of the benchmark's own hold the same networks; images go to one and the other in turn, in short
blocks, so that what else the machine does falls on both. The ratio comes with an interval: where that is wide
the machine was busy, and the ratio says little.
"""

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from google.protobuf import text_format
from scipy.stats import binom
from tritonclient.grpc.model_config_pb2 import ModelConfig

from clients.load import run_load
from hilum.contract import EMBEDDING, FINDINGS, MONITOR, VALID_PROBABILITY
from hilum.reference import (
    DISTANCE_BOUNDS,
    EMBEDDING_DISTANCE,
    PROBABILITY_BOUNDS,
    REFERENCE_FILE,
    Reference,
    SignalCounts,
)
from hilum.triton.process import running
from tests.bench.bench_images import BenchImages, find_bench_images
from tests.bench.comparisons import IN_FLIGHT, Sizes
from tests.bench.process_tree import cpu_time_s
from tests.bench.report import Measurement
from tests.bench.serving import own_server
from training.repository.layout import packaged_model

SHORTER = 4
"""A block sends this part of the other comparisons' images, in three times as many rounds for each part: a
difference of some percent is looked for."""

PASS_THROUGH = f"""
import triton_python_backend_utils as pb_utils

from hilum.contract import MODELS

TENSORS = [tensor.name for tensor in MODELS[{MONITOR!r}].outputs]


class TritonPythonModel:
    def execute(self, requests):
        return [
            pb_utils.InferenceResponse([pb_utils.get_input_tensor_by_name(request, name) for name in TENSORS])
            for request in requests
        ]
"""
"""A monitor that watches nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Side:
    """One of the two servers."""

    url: str
    pid: int
    images: Sequence[bytes]
    requests: int

    def run(self) -> tuple[float, float]:
        """Send one round's images; return images per second, and the server's CPU time per image in s."""
        before = cpu_time_s(self.pid)
        report = run_load(self.url, self.images, requests=self.requests, in_flight=IN_FLIGHT)
        return report.throughput, (cpu_time_s(self.pid) - before) / self.requests


def compare_monitor(repository: Path, images: Path | None, sizes: Sizes) -> list[Measurement]:
    """Serve two copies of `repository`, one unwatched, and measure both in turn.

    Raises:
        UsageError: no release is in the repository, or the images do not fit its filter.
    """
    with tempfile.TemporaryDirectory(prefix="hilum-bench-") as name, ExitStack() as stack:
        watched, unwatched = Path(name) / "watched", Path(name) / "unwatched"
        found: BenchImages | None = None
        sides = []
        for folder in (watched, unwatched):
            server = own_server(repository, folder)
            _replace_monitors(server.repository, None if folder == watched else PASS_THROUGH)
            process = stack.enter_context(running(server, folder / "triton.log"))
            found = found or find_bench_images(server.addresses.grpc, images)
            side = _Side(
                url=server.addresses.grpc,
                pid=process.pid,
                images=found.accepted,
                requests=max(IN_FLIGHT, sizes.requests // SHORTER),
            )
            side.run()  # every instance has seen an image
            sides.append(side)
        rounds = [_round(*sides, turned=bool(count % 2)) for count in range(3 * SHORTER * sizes.rounds)]
    low, high = _interval([a[0] / b[0] for a, b in rounds])
    return [
        Measurement(
            name="watched_images_per_s",
            what="with its monitor, images/s",
            value=median(a[0] for a, _ in rounds),
        ),
        Measurement(
            name="unwatched_images_per_s",
            what="passed through, images/s",
            value=median(b[0] for _, b in rounds),
        ),
        Measurement(
            name="monitor_throughput_ratio",
            what=f"throughput with {IN_FLIGHT} in flight, with its monitor / passed through",
            value=median(a[0] / b[0] for a, b in rounds),
            at_least=0.95,
        ),
        Measurement(name="monitor_throughput_low", what="95 % interval of that, from", value=low),
        Measurement(name="monitor_throughput_high", what="to", value=high),
        Measurement(
            name="monitor_cpu_ratio",
            what="server CPU per image, with its monitor / passed through",
            value=median(a[1] / b[1] for a, b in rounds),
            at_most=1.05,
        ),
    ]


def _round(first: _Side, second: _Side, *, turned: bool) -> tuple[tuple[float, float], tuple[float, float]]:
    """Measure both sides, every other time the second one before the first."""
    if turned:
        later = second.run()
        return first.run(), later
    return first.run(), second.run()


def _interval(values: Sequence[float]) -> tuple[float, float]:
    """Return a 95 % interval of the median: the order statistics that the binomial distribution names."""
    below = max(int(binom.ppf(0.025, len(values), 0.5)) - 1, 0)
    ordered = sorted(values)
    return ordered[below], ordered[-1 - below]


def _replace_monitors(repository: Path, model: str | None) -> None:
    """Put this code's monitor, or another, in every version, with a reference sample where it has none."""
    config = text_format.Parse((repository / MONITOR / "config.pbtxt").read_text(), ModelConfig())
    (size,) = next(tensor.dims for tensor in config.input if tensor.name == EMBEDDING.name)
    for version in config.version_policy.specific.versions:
        folder = repository / MONITOR / str(version)
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)
        (folder / "model.py").write_text(packaged_model(MONITOR).read_text() if model is None else model)
        if not (folder / REFERENCE_FILE).exists():
            (folder / REFERENCE_FILE).write_bytes(_made_up_reference(size))


def _made_up_reference(size: int) -> bytes:
    """Return a reference sample for embeddings of a size: comparing costs what it costs with a real one."""
    values = np.random.default_rng(0).random(100)
    probability = SignalCounts.of(values, PROBABILITY_BOUNDS)
    signals = dict.fromkeys((VALID_PROBABILITY.name, *FINDINGS), probability)
    return Reference(
        split="val",
        signals={**signals, EMBEDDING_DISTANCE: SignalCounts.of(2 * values, DISTANCE_BOUNDS)},
        mean=(0.5,) * size,
        deviation=(0.25,) * size,
    ).to_json()
