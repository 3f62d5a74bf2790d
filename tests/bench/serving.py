"""The served front door against the same networks in a bare loop, on a server of the benchmark's own."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tritonclient.grpc import InferenceServerClient

from hilum.contract import CLASSIFIER, FILTER, SCREENING
from hilum.errors import UsageError
from hilum.radiograph import decode_radiograph
from hilum.triton.addresses import TritonAddresses
from hilum.triton.process import running
from hilum.triton.server import TritonServer
from tests.bench.bench_images import find_bench_images
from tests.bench.comparisons import (
    Bench,
    Sizes,
    compare_cpu_time,
    compare_latency,
    compare_throughput,
)
from tests.bench.direct_loop import DirectLoop, Networks
from tests.bench.process_tree import resident_bytes
from tests.bench.report import Measurement
from tests.support.ports import free_ports


def compare_serving(repository: Path, images: Path | None, sizes: Sizes) -> list[Measurement]:
    """Serve a copy of `repository` and measure it; the original and its server are left alone.

    Raises:
        UsageError: no release is in the repository, or the images do not fit its filter.
    """
    with serving_bench(repository, images, sizes) as bench:
        return [
            *compare_throughput(bench),
            *compare_latency(bench),
            *compare_cpu_time(bench),
            Measurement(name="ready_s", what="start to ready, s", value=bench.ready_s, at_most=15),
            Measurement(
                name="memory_gib",
                what="memory of the whole server after load (PSS), GiB",
                value=resident_bytes(bench.pid) / 2**30,
                at_most=1.5,
            ),
        ]


@contextmanager
def serving_bench(repository: Path, images: Path | None, sizes: Sizes) -> Iterator[Bench]:
    """Serve a copy of `repository` for the time of a benchmark, warm, with the yardstick beside it.

    Raises:
        UsageError: no release is in the repository, or the images do not fit its filter.
    """
    with tempfile.TemporaryDirectory(prefix="hilum-bench-") as folder:
        server = own_server(repository, Path(folder))
        start = time.monotonic()
        with running(server, Path(folder) / "triton.log") as process:
            ready_s = time.monotonic() - start
            url = server.addresses.grpc
            found = find_bench_images(url, images)
            radiographs = np.stack([decode_radiograph(image) for image in found.accepted])
            workers = len(os.sched_getaffinity(0))
            with DirectLoop(_served_networks(url, server.repository), radiographs, workers=workers) as direct:
                bench = Bench(
                    url=url,
                    pid=process.pid,
                    ready_s=ready_s,
                    direct=direct,
                    accepted=found.accepted,
                    rejected=found.rejected,
                    sizes=sizes,
                )
                bench.load(bench.accepted, in_flight=workers)  # every instance has seen an image
                yield bench


def own_server(repository: Path, folder: Path) -> TritonServer:
    """Return a server on a copy of the repository, on ports that nothing else uses.

    Raises:
        UsageError: no release is in the repository.
    """
    if not (repository / SCREENING / "config.pbtxt").is_file():
        raise UsageError(
            f"There is no release in the model repository {repository}. Run `make demo` first, "
            "or name another repository with --repository."
        )
    http, grpc, metrics = free_ports(3)
    return TritonServer(
        repository=shutil.copytree(repository, folder / "model_repository"),
        home=folder / "home",
        admin_key="not-used-by-the-benchmark",
        addresses=TritonAddresses(host="127.0.0.1", http_port=http, grpc_port=grpc, metrics_port=metrics),
    )


def _served_networks(url: str, repository: Path) -> Networks:
    """Return the ONNX files that the front door's steps name, so that both sides run the same."""
    with InferenceServerClient(url) as client:
        steps = client.get_model_config(SCREENING).config.ensemble_scheduling.step
    versions = {step.model_name: str(step.model_version) for step in steps}
    return Networks(
        filter_onnx=repository / FILTER / versions[FILTER] / "model.onnx",
        classifier_onnx=repository / CLASSIFIER / versions[CLASSIFIER] / "model.onnx",
    )
