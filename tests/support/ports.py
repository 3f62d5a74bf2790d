"""Ports for servers that a test starts."""

import socket
from contextlib import ExitStack


def free_ports(count: int) -> list[int]:
    """Return `count` different TCP ports of 127.0.0.1 that nothing listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def port_variables() -> dict[str, str]:
    """Return environment variables that put a local stack on free ports."""
    servers = ("HTTP", "GRPC", "METRICS", "MLFLOW", "WATCH")
    names = [f"HILUM_{server}_PORT" for server in servers]
    return dict(zip(names, map(str, free_ports(len(names))), strict=True))
