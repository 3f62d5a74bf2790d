"""Ports for servers that a test starts."""

import os
import socket
from itertools import cycle

FIRST, LAST = 10_000, 32_000
"""Below the ports that Linux gives to outgoing connections, which would take one before its server does."""


def _own_ports() -> range:
    """Return the ports of this process alone among those that run the tests (pytest-xdist's workers)."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % workers
    size = (LAST - FIRST) // workers
    return range(FIRST + worker * size, FIRST + (worker + 1) * size)


_OWN = _own_ports()
_START = os.getpid() * 97 % len(_OWN)  # another test run on this machine most likely begins elsewhere
_NEXT = cycle([*_OWN[_START:], *_OWN[:_START]])


def free_ports(count: int) -> list[int]:
    """Return `count` different TCP ports of 127.0.0.1 that nothing listens on now, and no test was given."""
    found: list[int] = []
    while len(found) < count:
        number = next(_NEXT)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                continue
        found.append(number)
    return found


def port_variables() -> dict[str, str]:
    """Return environment variables that put a local stack on free ports."""
    servers = ("HTTP", "GRPC", "METRICS", "MLFLOW", "WATCH", "PROMETHEUS", "ALERTMANAGER", "DASHBOARD")
    names = [f"HILUM_{server}_PORT" for server in servers]
    return dict(zip(names, map(str, free_ports(len(names))), strict=True))
