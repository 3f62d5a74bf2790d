"""What tests need to know of the servers that they start."""

import http.client
import os
import time
from dataclasses import dataclass
from pathlib import Path

from hilum.triton.server import TritonServer

ADMIN_KEY = "a-key-for-tests"
"""The admin key of every Triton that a test starts."""


@dataclass(frozen=True)
class RunningToys:
    """A Triton that serves release 1 of the toy networks."""

    server: TritonServer
    pid: int
    seconds_to_ready: float

    @property
    def address(self) -> str:
        """`host:port` of its gRPC service."""
        return self.server.addresses.grpc


def scrape(server: TritonServer) -> dict[str, float]:
    """Return Hilum's own series of a server's metrics, by name and labels."""
    addresses = server.addresses
    connection = http.client.HTTPConnection(addresses.host, addresses.metrics_port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    finally:
        connection.close()
    own = (line.rsplit(" ", 1) for line in lines if line.startswith("hilum_"))
    return {name: float(value) for name, value in own}


def scrape_until(server: TritonServer, **outcomes: float) -> dict[str, float]:
    """Return a server's series once so many images of each outcome, and their decoding, are counted.

    Models count a moment after they answer.
    """
    deadline = time.monotonic() + 5
    while True:
        series = scrape(server)
        counted = {outcome: series[f'hilum_images_total{{outcome="{outcome}"}}'] for outcome in outcomes}
        decoded = series["hilum_decode_duration_seconds_count"]
        if counted == outcomes and decoded >= sum(outcomes.values()):
            return series
        assert time.monotonic() < deadline, series
        time.sleep(0.02)


def instances(pid: int, model: str) -> list[int]:
    """Return the process ids of a Python model's instances under the Triton `pid`."""
    children = {
        child
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    }
    return sorted(
        int(child) for child in children if f"/{model}/" in Path(f"/proc/{child}/cmdline").read_text()
    )


def is_group_alive(group: int) -> bool:
    """Whether any process of a process group still lives."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
