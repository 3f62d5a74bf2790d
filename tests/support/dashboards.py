"""The dashboard's server in a process of its own, and when a page of it is drawn."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dashboard.commands import dashboard_command
from hilum.probe import answers_ok
from tests.support.ports import free_ports

CHROMIUM = shutil.which("chromium")

CHROMIUM_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)

DROP_ZONE = "input.files"
"""Where files are chosen on the Examine page."""

START_TIMEOUT_S = 60.0
"""Longest wait for the server, in seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningDashboard:
    """A dashboard that answers."""

    url: str
    pid: int


@contextmanager
def running_dashboard(
    environment: Mapping[str, str], log: Path, *, port: int | None = None
) -> Iterator[RunningDashboard]:
    """Run the dashboard's server during the block, from its first answer on; by default on a free port."""
    port = port or free_ports(1)[0]
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            dashboard_command("127.0.0.1", port),
            env=os.environ | dict(environment),
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not answers_ok(f"{url}/_stcore/health"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield RunningDashboard(url=url, pid=process.pid)
    finally:
        process.terminate()
        process.wait(30)
