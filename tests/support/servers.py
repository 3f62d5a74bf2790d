"""What tests need to know of the servers that they start."""

import http.client
import os
import time
from dataclasses import dataclass
from pathlib import Path

from hilum.triton.server import TritonServer

HAND_ON_EVERY_S = 0.1
"""How often models hand on their counts: `hilum.triton.metrics`, which only they can import."""

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


def scrape_settled(server: TritonServer) -> dict[str, float]:
    """Return a server's series once all that it answered is counted, which models do a moment later."""
    series = scrape(server)
    while True:
        time.sleep(3 * HAND_ON_EVERY_S)
        again = scrape(server)
        if again == series:
            return series
        series = again


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
