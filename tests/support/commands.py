"""Runs `hilum` as a user does, with a state folder and an MLflow server of the test's own."""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import IO

from tests.support.data import REPOSITORY


class Command:
    """A `hilum` command in a copy of a process that has imported torch: like a `Popen`, but sooner."""

    def __init__(self, *arguments: str, environment: dict[str, str]) -> None:
        self.returncode: int | None = None
        self._printed = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._connection.connect(_preloaded())
        request = json.dumps({"arguments": arguments, "environment": environment}).encode()
        socket.send_fds(self._connection, [request], [file.fileno() for file in self._printed])
        self.pid = int(self._connection.recv(32))

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""
        return self._wait(0)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end, in seconds at most, and return what it printed.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        if self._wait(timeout) is None:
            raise subprocess.TimeoutExpired("hilum", timeout or 0)
        stdout, stderr = map(_content, self._printed)
        return stdout, stderr

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _wait(self, timeout_s: float | None) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], timeout_s)[0]:
            self.returncode = int(self._connection.recv(32))
            self._connection.close()
        return self.returncode


def start(*arguments: str | Path, home: Path, uri: str) -> Command:
    """Start a `hilum` command."""
    environment = os.environ | {"HILUM_HOME": str(home), "HILUM_MLFLOW_URI": uri}
    return Command(*map(str, arguments), environment=environment)


def run(*arguments: str | Path, home: Path, uri: str) -> tuple[int, str, str]:
    """Run a `hilum` command and return its exit status and what it printed."""
    command = start(*arguments, home=home, uri=uri)
    stdout, stderr = command.communicate(timeout=600)
    assert command.returncode is not None
    return command.returncode, stdout, stderr


@cache
def _preloaded() -> str:
    """Return the socket of the process that starts commands; it ends with this process."""
    folder = tempfile.TemporaryDirectory(prefix="hilum-tests-")
    address = f"{folder.name}/socket"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.preloaded", address],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    atexit.register(_end, process, folder)
    return address


def _end(process: subprocess.Popen[str], folder: "tempfile.TemporaryDirectory[str]") -> None:
    with process:
        assert process.stdin
        process.stdin.close()
    folder.cleanup()


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    with file:
        return file.read().decode()
