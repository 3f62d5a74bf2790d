"""The local stack: its servers started, watched, asked and stopped as one."""

import fcntl
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from hilum.errors import ServiceUnreachableError, UsageError
from hilum.probe import answers_ok
from hilum.settings import Settings
from hilum.stack.marked import end_marked, find_marked, wait_gone
from hilum.stack.service import Service, log_path
from hilum.stack.services import local_services
from hilum.stack.supervision import FAILED_STATES, GIVEN_UP_STATES, Supervisor
from hilum.triton.errors import ServerFailedError
from hilum.triton.installation import find_libpython, find_triton

POLL_S = 0.2
"""Time between two looks at the services, in seconds."""

STOP_TIMEOUT_S = 60.0
"""Longest clean stop of all services, in seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceStatus:
    """How one service is."""

    service: str
    """Its name."""
    state: str
    """Supervisor's name of its state, `STOPPED` where the stack does not run."""
    pid: int | None
    """Process id, or None where it does not run."""
    address: str
    """Where it should answer."""
    uptime_s: int
    """Seconds since its process was started; 0 where it does not run."""
    healthy: bool
    """Whether it answered a health request just now."""


class Stack:
    """The servers of one installation under one supervisor."""

    def __init__(self, settings: Settings) -> None:
        """Name the stack of an installation; nothing is started."""
        self.services = local_services(settings)
        self._home = settings.home.absolute()
        self._supervisor = Supervisor(settings.home)

    def is_running(self) -> bool:
        """Whether its supervisor runs."""
        return self._supervisor.is_running()

    def start(self) -> Iterator[Service]:
        """Start what does not run yet; yield each service once it is ready.

        A start that fails, or is interrupted, stops everything that it started. On a stack that
        runs already, only services that had been given up are started again.

        Raises:
            UsageError: the stack runs already, with other addresses.
            MissingTritonError: Triton or the shared Python library is not installed.
            PortTakenError: another program listens on a port.
            ServerFailedError: a server ended, or was not ready in time.
        """
        addresses = [f"{service.name}: {service.address}" for service in self.services]
        configuration = self._supervisor.render([service.name for service in self.services], addresses)
        log_starts = {service.name: self._log_size(service) for service in self.services}
        if not self.is_running():
            is_ours = self._start_supervisor(configuration)
            try:
                yield from self._wait_ready(log_starts)
            except BaseException:
                if is_ours:
                    self.stop()
                raise
        elif self._supervisor.configuration.read_text() != configuration:
            raise UsageError(
                "The stack runs already, with other addresses than the settings now say. "
                "Stop it first: hilum down"
            )
        else:
            self._revive()
            yield from self._wait_ready(log_starts)

    def stop(self) -> bool:
        """Stop every service and wait until all processes are gone; return whether any was there."""
        processes = find_marked(self._home)
        if self.is_running():
            with suppress(ServiceUnreachableError):  # somebody else stops it
                self._supervisor.shut_down()
            wait_gone(processes, STOP_TIMEOUT_S)
        end_marked(self._home)
        self._supervisor.remove_socket()
        return bool(processes)

    def wait_stopped(self) -> None:
        """Wait until the supervisor has ended."""
        while self.is_running():
            time.sleep(POLL_S)

    def status(self) -> list[ServiceStatus]:
        """Return how each service is, after asking each for its health."""
        processes = self._supervisor.processes() if self.is_running() else {}
        return [
            ServiceStatus(
                service=service.name,
                state=process.state if process else "STOPPED",
                pid=process.pid or None if process else None,
                address=service.address,
                uptime_s=process.uptime_s if process else 0,
                healthy=answers_ok(service.health_url),
            )
            for service in self.services
            for process in (processes.get(service.name),)
        ]

    def _start_supervisor(self, configuration: str) -> bool:
        """Start the supervisor; return False where another `up` has just done so."""
        find_triton()
        find_libpython()
        self._home.mkdir(parents=True, exist_ok=True)
        with (self._home / "stack.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # of two that start at once, one does
            if self.is_running():
                return False
            end_marked(self._home)  # what a killed supervisor left still holds the ports
            for service in self.services:
                for port in service.ports:
                    port.check_free()
            try:
                self._supervisor.start(configuration)
            except BaseException:
                self.stop()
                raise
            return True

    def _revive(self) -> None:
        """Start again what supervisor has given up."""
        for name, process in self._supervisor.processes().items():
            if process.state in GIVEN_UP_STATES:
                self._supervisor.start_process(name)

    def _wait_ready(self, log_starts: Mapping[str, int]) -> Iterator[Service]:
        waiting = {service.name: service for service in self.services}
        pids: dict[str, int] = {}
        start = time.monotonic()
        while waiting:
            processes = self._supervisor.processes()
            for name, service in list(waiting.items()):
                process = processes[name]
                restarted = process.pid and pids.setdefault(name, process.pid) != process.pid
                if process.state in FAILED_STATES or restarted:
                    raise self._failure(service, "ended while it started", log_starts[name])
                if process.pid and answers_ok(service.health_url):
                    del waiting[name]
                    yield service
                elif time.monotonic() - start > service.ready_timeout_s:
                    what = f"was not ready after {service.ready_timeout_s:.0f} s"
                    raise self._failure(service, what, log_starts[name])
            time.sleep(POLL_S)

    def _failure(self, service: Service, what: str, log_start: int) -> ServerFailedError:
        log = log_path(self._home, service.name)
        with log.open("rb") as stream:
            stream.seek(log_start)
            causes = service.find_causes(stream.read().decode(errors="replace"))
        return ServerFailedError(service.name, what, causes, log)

    def _log_size(self, service: Service) -> int:
        log = log_path(self._home, service.name)
        return log.stat().st_size if log.exists() else 0
