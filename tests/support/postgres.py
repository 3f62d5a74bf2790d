"""A PostgreSQL server of a test's own, on a free port, with its data in a temporary folder."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.support.ports import free_ports


def find_postgres() -> Path | None:
    """Return the folder of `initdb` and `postgres`; None where they are not installed."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(folders) if (folder / "postgres").exists()), None)


class Postgres:
    """A server that can be stopped and started again."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        """Make the database cluster, as an unprivileged user: PostgreSQL refuses root."""
        self._binaries, self._folder = binaries, folder
        self._port = free_ports(1)[0]
        self._process: subprocess.Popen[bytes] | None = None
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            shutil.chown(folder, "nobody", "nogroup")
        options = ["--username", "hilum", "--auth", "trust", "--no-sync", "--encoding", "UTF8", "--no-locale"]
        subprocess.run(
            [str(binaries / "initdb"), "--pgdata", str(folder / "data"), *options],
            check=True,
            capture_output=True,
            cwd=folder,
            timeout=120,
            **self._user,
        )

    def url(self, database: str = "postgres", *, user: str = "hilum") -> str:
        """Return the URL of a database, with a password that the server does not ask for."""
        return f"postgresql://{user}:secret@127.0.0.1:{self._port}/{database}"

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = {"port": self._port, "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        arguments = [f"-c{key}={value}" for key, value in {**options, "fsync": "off"}.items()]
        log = self._folder / "postgres.log"
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._folder / "data", *arguments],
                stdout=stream,
                stderr=stream,
                cwd=self._folder,
                **self._user,
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it, ending its connections."""
        if self._process:
            self._process.send_signal(signal.SIGINT)  # the one that does not wait for clients to leave
            self._process.wait(60)
            self._process = None

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def running_postgres(binaries: Path) -> Iterator[Postgres]:
    """Run a server; its folder is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="hilum-postgres-") as folder:
        server = Postgres(binaries, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
