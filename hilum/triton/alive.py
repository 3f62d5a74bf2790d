"""Says whether a server and its Python models are alive: the probes of Triton's container.

    python3 -m hilum.triton.alive [ready]

Triton's own answer (`/v2/health/live`) stays good when the process of a Python model has died. In a
container the server is process 1.
"""

import sys

from hilum.probe import answers_ok
from hilum.triton.children import dead_children

SERVER_PID = 1
"""The server's process in its container."""

HTTP_URL = "http://127.0.0.1:8000"
"""Where the container's server answers HTTP."""


def find_fault(what: str = "live", *, pid: int = SERVER_PID, url: str = HTTP_URL) -> str:
    """Return what is wrong with a server, in a sentence; empty where nothing is.

    A model that is being unloaded is dead for a moment, until Triton collects it: believe the second look.

    Args:
        what: `live`; or `ready`, which all models must be loaded for.
        pid: the server's process.
        url: where it answers HTTP.
    """
    health = f"{url}/v2/health/{what}"
    if not answers_ok(health):
        return f"Triton does not answer at {health}, or not that it is well."
    if dead := len(dead_children(pid)):
        return f"Python models have lost {dead} of their processes, which Triton does not replace."
    return ""


if __name__ == "__main__":
    sys.exit(find_fault(*sys.argv[1:]) or 0)
