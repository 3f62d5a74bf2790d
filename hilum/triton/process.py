"""A `tritonserver` process from start to clean stop."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from hilum.probe import answers_ok
from hilum.triton.children import dead_children
from hilum.triton.errors import ServerFailedError
from hilum.triton.log import find_causes
from hilum.triton.server import TritonServer

READY_TIMEOUT_S = 300.0
"""Longest wait for all models to be loaded, in seconds."""

STOP_TIMEOUT_S = 40.0
"""Longest clean stop, in seconds: Triton itself allows 30 for what is in flight."""

POLL_S = 0.05
"""Time between two looks at a server that starts or stops, in seconds."""

WATCH_S = 1.0
"""Time between two looks at a server that runs, in seconds."""


class TritonProcess:
    """A running server, in a process group of its own together with its Python models."""

    def __init__(self, server: TritonServer, log: Path | None) -> None:
        """Start the server.

        Args:
            server: what to serve, and where.
            log: where its output is appended; None leaves it to whoever keeps this process's own.

        Raises:
            UsageError: there is no such model repository.
            MissingTritonError: Triton or the shared Python library is not installed.
            PortTakenError: another program listens on one of the ports.
        """
        self.server = server
        self._log = log
        self._log_start = log.stat().st_size if log and log.exists() else 0
        installation = server.prepare()
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") if log else nullcontext() as output:
            self._process = subprocess.Popen(
                server.command(installation),
                cwd=server.folder,
                env=server.environment(installation),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if log else None,
                start_new_session=True,  # Ctrl-C is for us: we then stop it cleanly
            )

    @property
    def pid(self) -> int:
        """Process id of the server, and of its process group."""
        return self._process.pid

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> float:
        """Wait until every model is loaded and metrics are served; return the seconds waited.

        Raises:
            ServerFailedError: the server ended, or needed longer than `timeout_s`.
        """
        start = time.monotonic()
        addresses = self.server.addresses
        # Triton opens its metrics last: whoever scrapes the moment it is ready would be refused.
        while not (answers_ok(addresses.ready_url) and answers_ok(addresses.metrics_url)):
            if self._process.poll() is not None:
                raise self._failure(f"ended with status {self._process.returncode} while it started")
            if time.monotonic() - start > timeout_s:
                raise self._failure(f"was not ready after {timeout_s:.0f} s")
            time.sleep(POLL_S)
        return time.monotonic() - start

    def watch(self) -> None:
        """Wait until the server, or one of its Python models, dies.

        Triton never replaces a Python model's process that died (for want of memory, say): it goes on
        calling itself ready, and fails each request that falls to that instance.

        Raises:
            ServerFailedError: always, once that happened.
        """
        dead: set[int] = set()
        while self._process.poll() is None:
            # A model that is being unloaded is dead for a moment only, until Triton collects it.
            dead, seen_before = self._dead_models(), dead
            if dead & seen_before:
                raise self._failure("lost a Python model's process, which it cannot replace")
            time.sleep(WATCH_S)
        raise self._failure(f"ended with status {self._process.returncode}")

    def stop(self) -> None:
        """End the server and its Python models, and wait until all of them are gone."""
        if not self._dead_models():  # or it would wait 30 s for the dead
            self._process.terminate()  # the server alone: it ends its Python models itself
            with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
                self._process.wait(STOP_TIMEOUT_S)
        self._kill_group()
        self._process.wait()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while self._kill_group() and time.monotonic() < deadline:
            time.sleep(POLL_S)
        self.server.free_shared_memory()

    def _kill_group(self) -> bool:
        """Kill what is left of the server's process group; return whether anything was."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def _dead_models(self) -> set[int]:
        """Return the processes of Python models that died."""
        return dead_children(self.pid)

    def _failure(self, what: str) -> ServerFailedError:
        causes: list[str] = []
        if self._log:
            with self._log.open("rb") as stream:
                stream.seek(self._log_start)
                causes = find_causes(stream.read().decode(errors="replace"))
        return ServerFailedError("Triton", what, causes, self._log)


@contextmanager
def running(server: TritonServer, log: Path | None) -> Iterator[TritonProcess]:
    """Run a server for the time of a `with` block; it is ready when the block begins, gone when it ends."""
    process = TritonProcess(server, log)
    try:
        process.wait_ready()
        yield process
    finally:
        process.stop()
