"""Finds and ends the processes of one service, even those whose parent was killed.

Every process that the stack starts carries a mark in its environment, which its children inherit.
So what is left of a killed server, or of a killed supervisor, can always be told from strangers.
"""

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

MARK = "_HILUM_SERVICE"
"""The environment variable that carries the mark."""

POLL_S = 0.05
"""Time between two looks, in seconds."""

STOP_TIMEOUT_S = 5.0
"""Longest wait for a process to end by itself, in seconds."""


def mark(home: Path, service: str) -> str:
    """Return the mark of a service's processes."""
    return f"{home.absolute()}:{service}"


def find_marked(home: Path, service: str = "") -> list[int]:
    """Return the ids of the living processes of a service, or of all services of `home`; not our own."""
    wanted = f"{MARK}={mark(home, service)}".encode()
    return [
        int(environ.parent.name)
        for environ in Path("/proc").glob("[0-9]*/environ")
        if int(environ.parent.name) != os.getpid() and _carries(environ, wanted, whole=bool(service))
    ]


def end_marked(home: Path, service: str = "") -> bool:
    """End these processes, in the end by force; return whether any was there."""
    processes = find_marked(home, service)
    _signal(processes, signal.SIGTERM)
    if not wait_gone(processes, STOP_TIMEOUT_S):
        _signal(processes, signal.SIGKILL)
        wait_gone(processes, STOP_TIMEOUT_S)
    return bool(processes)


def wait_gone(processes: Iterable[int], timeout_s: float) -> bool:
    """Wait until none of these processes lives or holds a port; return whether that came to pass in time."""
    deadline = time.monotonic() + timeout_s
    while any(_lives(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _lives(process: int) -> bool:
    """Whether a process has not ended; a zombie has, and has closed its ports."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def _carries(environ: Path, wanted: bytes, *, whole: bool) -> bool:
    """Whether a process's environment holds the entry `wanted`, or one that begins with it."""
    try:
        entries = environ.read_bytes().split(b"\0")
    except OSError:  # another user's process, or one that has just ended
        return False
    return wanted in entries if whole else any(entry.startswith(wanted) for entry in entries)


def _signal(processes: list[int], number: int) -> None:
    for process in processes:
        try:
            os.kill(process, number)
        except ProcessLookupError:
            continue
