"""The yardstick: the two ONNX networks called in a loop with ready tensors, and nothing around them.

One process per core, one thread per session, no spinning: what the machine can give these
networks when there is no server, no decoding and no network protocol.
"""

import multiprocessing
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from clients.load import LoadReport
from hilum.contract import ACCEPTED, RADIOGRAPH, VALID_PROBABILITY


@dataclass(frozen=True, kw_only=True, slots=True)
class Networks:
    """The ONNX files of one release."""

    filter_onnx: Path
    classifier_onnx: Path


class DirectLoop(AbstractContextManager["DirectLoop"]):
    """Worker processes that hold both sessions and run images through them when told to."""

    def __init__(self, networks: Networks, radiographs: NDArray[np.uint8], *, workers: int) -> None:
        """Start `workers` processes over (N, 1, 256, 256) uint8 radiographs and wait until all are ready."""
        context = multiprocessing.get_context("spawn")  # a fork would copy gRPC's threads' locks
        self._connections: list[Connection] = []
        self._processes = []
        for _ in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, networks, radiographs), daemon=True)
            process.start()
            theirs.close()
            self._connections.append(ours)
            self._processes.append(process)
        for connection in self._connections:
            connection.recv()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._connections:
            connection.close()  # a worker ends when nobody can ask it any more
        for process in self._processes:
            process.join()

    def run(self, images: int, *, workers: int | None = None) -> LoadReport:
        """Run `images` images, shared out over `workers` of the processes, and time each one."""
        connections = self._connections[:workers]
        shares = [len(share) for share in np.array_split(np.arange(images), len(connections))]
        start = time.perf_counter()
        for connection, share in zip(connections, shares, strict=True):
            connection.send(share)
        latencies_s = np.concatenate([connection.recv() for connection in connections])
        return LoadReport(duration_s=time.perf_counter() - start, latencies_s=latencies_s)


def _work(connection: Connection, networks: Networks, radiographs: NDArray[np.uint8]) -> None:
    filter_session, classifier_session = _session(networks.filter_onnx), _session(networks.classifier_onnx)
    filter_outputs = [VALID_PROBABILITY.name, ACCEPTED.name]

    def screen(radiograph: NDArray[np.uint8]) -> None:
        _, accepted = filter_session.run(filter_outputs, {RADIOGRAPH.name: radiograph})
        classifier_session.run(None, {RADIOGRAPH.name: radiograph, ACCEPTED.name: accepted})

    screen(radiographs[:1])
    connection.send(None)
    while True:
        try:
            count = connection.recv()
        except EOFError:
            return
        latencies_s = np.empty(count)
        for index in range(count):
            row = index % len(radiographs)
            start = time.perf_counter()
            screen(radiographs[row : row + 1])
            latencies_s[index] = time.perf_counter() - start
        connection.send(latencies_s)


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
