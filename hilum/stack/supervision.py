"""The `supervisor` of the local stack: its configuration, its start, and the talk with it over a socket."""

import hashlib
import http.client
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from hilum.errors import HilumError, ServiceUnreachableError, UsageError
from hilum.files import write_atomic
from hilum.stack.marked import MARK, mark

MAX_SOCKET_PATH = 95
"""Longest path of the socket, in bytes: Linux takes 107, and supervisor appends up to 12."""

START_TIMEOUT_S = 60.0
"""Longest wait for the supervisor to answer, in seconds; it takes half a second."""

GIVEN_UP_STATES = ("EXITED", "FATAL", "STOPPED")
"""Supervisor's names for a process that it does not start again by itself."""

FAILED_STATES = ("BACKOFF", "EXITED", "FATAL", "UNKNOWN")
"""Supervisor's names for a process that ended although it should not have."""

_HEAD = """\
; Written by `hilum up`; changes are lost.
{remarks}
[supervisord]
nodaemon = true
silent = true
logfile = %(here)s/logs/supervisord.log
logfile_maxbytes = 1MB
logfile_backups = 1
pidfile = %(here)s/supervisord.pid
loglevel = warn

[unix_http_server]
file = {socket}
chmod = 0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""

_PROGRAM = """
[program:{name}]
command = {python} -m hilum.stack.supervised {name}
priority = {priority}
autorestart = true
startsecs = 3
startretries = 3
stopsignal = TERM
stopwaitsecs = 50
killasgroup = true
redirect_stderr = true
stdout_logfile = %(here)s/logs/{name}.log
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 3
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessState:
    """A supervised process at this moment."""

    state: str
    """Supervisor's name of the state, such as `RUNNING` or `FATAL`."""
    pid: int
    """Process id; 0 where it does not run."""
    uptime_s: int
    """Seconds since it was started; 0 where it does not run."""
    reason: str
    """What supervisor says of it: why it could not be started, or that it left too quickly."""


class Supervisor:
    """The supervisor of one installation, running or not."""

    def __init__(self, home: Path) -> None:
        """Name the supervisor whose state is in `home`; nothing is started."""
        self.home = home.absolute()
        self.configuration = self.home / "supervisord.conf"
        """Its configuration file: whoever reads it knows how the running stack was started."""

    def is_running(self) -> bool:
        """Whether it answers."""
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self._socket))
            except OSError:
                return False
        return True

    def start(self, configuration: str) -> None:
        """Write the configuration and start the supervisor on it, detached from this terminal."""
        (self.home / "logs").mkdir(parents=True, exist_ok=True)
        self._socket.parent.mkdir(mode=0o700, exist_ok=True)
        write_atomic(self.configuration, configuration.encode(), mode=0o600)
        output = self.home / "logs" / "supervisord.out"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-c", self.configuration],
                env={**os.environ, MARK: mark(self.home, "supervisor")},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.is_running():
            try:
                outcome = f"ended with status {process.wait(timeout=0.05)}"
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
                outcome = f"did not answer within {START_TIMEOUT_S:.0f} s"
            raise HilumError(
                f"The supervisor {outcome}: {output.read_text().strip()}. "
                f"Mend what it says and run `hilum up` again."
            )

    def processes(self) -> dict[str, ProcessState]:
        """Return the processes that it watches, by name."""
        return {
            info["name"]: ProcessState(
                state=info["statename"],
                pid=info["pid"],
                uptime_s=info["now"] - info["start"] if info["pid"] else 0,
                reason=info["spawnerr"],
            )
            for info in self._call("getAllProcessInfo")
        }

    def start_process(self, name: str) -> None:
        """Start a process that was given up or stopped."""
        wait = False
        self._call("startProcess", name, wait)

    def shut_down(self) -> None:
        """Ask it to stop its processes and itself; returns at once."""
        self._call("shutdown")

    def remove_socket(self) -> None:
        """Remove the socket that a killed supervisor left, and the temporary folder for it."""
        self._socket.unlink(missing_ok=True)
        if self._socket.parent != self.home and self._socket.parent.exists():
            self._socket.parent.rmdir()

    def render(self, names: Sequence[str], remarks: Sequence[str]) -> str:
        """Return the configuration that runs these services.

        Args:
            names: services in the order of their start.
            remarks: lines that tell this configuration from that of other settings.

        Raises:
            UsageError: supervisor cannot work in this home.
        """
        if "%" in str(self.home):
            raise UsageError(
                f"HILUM_HOME is {self.home}, and supervisor cannot work in a folder whose path holds a "
                "percent sign. Set HILUM_HOME to another folder."
            )
        inside = self._socket.parent == self.home
        head = _HEAD.format(
            remarks="".join(f"; {remark}\n" for remark in remarks),
            socket=f"%(here)s/{self._socket.name}" if inside else self._socket,
        )
        # A percent sign in a value begins an expansion.
        python = shlex.quote(sys.executable).replace("%", "%%")
        programs = [
            _PROGRAM.format(name=name, python=python, priority=priority)
            for priority, name in enumerate(names)
        ]
        return head + "".join(programs)

    @property
    def _socket(self) -> Path:
        """The socket: in `home`, or where that path is too long for one, in a private temporary folder."""
        path = self.home / "supervisor.sock"
        if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
            return path
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"hilum-{os.getuid()}-{digest}"
        if folder.exists() and folder.stat().st_uid != os.getuid():
            raise HilumError(f"{folder} belongs to another user. Set HILUM_HOME to a shorter path.")
        path = folder / "supervisor.sock"
        if len(os.fsencode(path)) > MAX_SOCKET_PATH:
            raise UsageError(
                f"Neither HILUM_HOME ({self.home}) nor the folder for temporary files is short enough for "
                f"a socket ({MAX_SOCKET_PATH} bytes). Set HILUM_HOME to a shorter path."
            )
        return path

    def _call(self, method: str, *arguments: object) -> Any:
        transport = SupervisorTransport(None, None, serverurl=f"unix://{self._socket}")
        try:
            with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        except (OSError, http.client.HTTPException, xmlrpc.client.Fault) as error:
            raise ServiceUnreachableError(
                "The supervisor",
                str(self._socket),
                "It is stopping, or does not run. Run `hilum up`.",
            ) from error
