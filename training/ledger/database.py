"""Transactions on the ledger's database: one writer at a time, a bounded wait, and errors as sentences."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from hilum.errors import ServiceUnreachableError, UsageError
from training.errors import LedgerBusyError, LedgerError

WAIT_S = 30.0
"""Longest wait for other writers, in seconds."""

CONNECT_S = 10
"""Longest wait for a PostgreSQL server to answer, in seconds."""

_LOCK_NOT_AVAILABLE = "55P03"
"""PostgreSQL's code for a lock that was not given within `lock_timeout`."""


class Database:
    """Where one ledger lies. A connection lasts a transaction, so a restart of the server is survived."""

    def __init__(self, url: str, *, connect_s: int = CONNECT_S) -> None:
        """Prepare; nothing is opened yet.

        Args:
            url: SQLAlchemy URL of a SQLite file or a PostgreSQL database.
            connect_s: longest wait for a PostgreSQL server to answer, in seconds.

        Raises:
            UsageError: the URL is not one of a SQLite file or a PostgreSQL database.
        """
        self.url = _parse(url)
        self._engine = _sqlite(self.url) if self.file else _postgresql(self.url, connect_s)

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for PostgreSQL."""
        return Path(str(self.url.database)) if self.url.get_backend_name() == "sqlite" else None

    @property
    def where(self) -> str:
        """The address without its password."""
        return str(self.file) if self.file else self.url.render_as_string(hide_password=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that reads.

        Raises:
            ServiceUnreachableError: PostgreSQL does not answer.
            LedgerError: the database refuses.
        """
        with self._errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that writes; in SQLite it is alone from here on.

        Raises:
            LedgerBusyError: others wrote for longer than `WAIT_S`.
            ServiceUnreachableError: PostgreSQL does not answer.
            LedgerError: the database refuses.
        """
        if self.file:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        engine = self._engine.execution_options(writes=True)
        with self._errors(), engine.begin() as connection:
            if not self.file:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(WAIT_S * 1000)}")
            yield connection

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the driver's errors into sentences."""
        try:
            yield
        except DBAPIError as error:
            reason = " ".join(str(error.orig).split()).rstrip(".")
            code = getattr(error.orig, "sqlstate", None)
            if "database is locked" in reason or code == _LOCK_NOT_AVAILABLE:
                raise LedgerBusyError(self.where, WAIT_S) from error
            if not self.file and isinstance(error, OperationalError):
                raise ServiceUnreachableError(
                    "PostgreSQL, which holds the ledger,",
                    self.where,
                    f"It says: {reason}. Start it or mend HILUM_LEDGER_URL; `hilum ledger show` then says "
                    "whether the newest entry was recorded.",
                ) from error
            raise LedgerError(f"The database of the ledger at {self.where} refused: {reason}.") from error


def _parse(address: str) -> URL:
    """Return the URL, PostgreSQL's with the driver that Hilum installs."""
    try:
        url = make_url(address)
    except (ArgumentError, ValueError) as error:
        raise UsageError(f"HILUM_LEDGER_URL is no database URL: {_EXPECTED}") from error
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg") and url.database:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite" and url.database and not url.database.startswith((":", "file:")):
        return url
    raise UsageError(f"The ledger cannot lie in {url.render_as_string(hide_password=True)}: {_EXPECTED}")


_EXPECTED = "expected sqlite:////absolute/path/ledger.db or postgresql://USER:PASSWORD@HOST/DATABASE."


def _sqlite(url: URL) -> Engine:
    """Return an engine whose transactions are SQLite's own, not those that Python's driver imagines."""
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": WAIT_S})

    def leave_transactions_to_us(connection: Any, _: object) -> None:
        connection.isolation_level = None

    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", leave_transactions_to_us)
    event.listen(engine, "begin", begin)
    return engine


def _postgresql(url: URL, connect_s: int) -> Engine:
    """Return an engine in which a writer that waited for the head sees what the one before it wrote."""
    try:
        return create_engine(
            url,
            poolclass=NullPool,
            isolation_level="READ COMMITTED",
            connect_args={"connect_timeout": connect_s},
        )
    except ModuleNotFoundError as error:
        raise UsageError(
            f"A ledger in PostgreSQL needs the package {error.name!r}: pip install 'hilum[cluster]'."
        ) from error
