"""Runs the watcher's HTTP side beside its loop."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from hilum.ports import Port

STOP_TIMEOUT_S = 5
"""Longest wait for open requests when it stops, in seconds."""

MAX_CONNECTIONS = 64
"""Requests at once; more are answered 503."""


@contextmanager
def answering(app: ASGIApp, port: Port) -> Iterator[None]:
    """Answer HTTP requests on `port` during the block.

    Raises:
        PortTakenError: another program listens there.
        OSError: the host is no address of this machine.
    """
    port.check_free()
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=STOP_TIMEOUT_S,
        )
    )
    family = socket.getaddrinfo(port.host, port.number, type=socket.SOCK_STREAM)[0][0]
    # Bound here, so that a request is answered, if late, from the moment that this returns.
    with socket.create_server((port.host, port.number), family=family) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), name="watch-http", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(2 * STOP_TIMEOUT_S)
