"""Appends to the ledger and reads it. Many processes on many machines may append at once."""

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, insert, select, update

from hilum.errors import HilumError, UsageError
from hilum.files import safe_name
from hilum.settings import settings
from training.errors import ConcurrentChangeError, LedgerError
from training.ledger.database import CONNECT_S, Database
from training.ledger.entry import KINDS, Entry, Kind, Record, canonical_json, make_entry, read_entry
from training.ledger.head import Head, HeadFile
from training.ledger.tables import ENTRIES, HEAD, have_tables, make_tables

PAGE = 500
"""Entries that are read in one transaction: a reader who dawdles never holds up a writer."""

log = logging.getLogger(__name__)


class Ledger:
    """The ledger in one database; a context manager that lets go of it."""

    def __init__(self, url: str, *, connect_s: int = CONNECT_S) -> None:
        """Prepare; the database is opened, and its tables made, at first use.

        Args:
            url: SQLAlchemy URL of a SQLite file or a PostgreSQL database.
            connect_s: longest wait for a PostgreSQL server to answer, in seconds.

        Raises:
            UsageError: it is neither.
        """
        self._database = Database(url, connect_s=connect_s)
        self._is_ready = False
        self.head_file = HeadFile(_head_path(self._database))

    @property
    def where(self) -> str:
        """The ledger's file or address, without a password."""
        return self._database.where

    def __enter__(self) -> "Ledger":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go of the database."""
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def append(
        self,
        kind: Kind,
        *,
        who: str,
        facts: Mapping[str, Any],
        why: str = "",
        expect: Mapping[Kind, int] | None = None,
    ) -> Entry:
        """Record that something happened, and return its entry once it is on disk.

        Args:
            kind: what happened.
            who: who did it.
            facts: what it is about; JSON values.
            why: the reason that was given.
            expect: number of the newest entry of each kind that the caller decided upon (0: none).

        Raises:
            ConcurrentChangeError: another entry of such a kind came since; nothing was recorded.
            LedgerBusyError: others wrote for too long; nothing was recorded.
            ServiceUnreachableError: PostgreSQL does not answer.
            UsageError: nobody is named.
        """
        if kind not in KINDS:
            raise ValueError(f"No kind of entry: {kind!r}. There are {', '.join(KINDS)}.")
        if not who.strip():
            raise UsageError("The ledger records who acts: set HILUM_ACTOR to your name.")
        self._prepare()
        with self._database.writing() as connection:
            # Writers queue here in PostgreSQL; in SQLite the transaction itself has one writer only.
            head = _read_head(connection, lock=True)
            for watched, number in (expect or {}).items():
                _check_newest(connection, watched, number)
            entry = make_entry(
                number=head.number + 1,
                at=datetime.now(UTC),
                kind=kind,
                who=who,
                why=why,
                facts=facts,
                previous=head.digest,
            )
            connection.execute(insert(ENTRIES).values({**entry.record, "facts": canonical_json(entry.facts)}))
            connection.execute(update(HEAD).values(number=entry.number, digest=entry.digest))
        self._testify(entry)
        return entry

    def entries(self, *, after: int = 0) -> Iterator[Entry]:
        """Yield the entries whose number is above `after`, in order.

        Raises:
            LedgerError: an entry cannot be read: somebody wrote into the database.
        """
        return map(read_entry, self.records(after=after))

    def records(self, *, after: int = 0) -> Iterator[Record]:
        """Yield the records above `after` in order, unchecked; facts that are no JSON stay text."""
        self._prepare()
        while True:
            query = select(ENTRIES).where(ENTRIES.c.number > after).order_by(ENTRIES.c.number).limit(PAGE)
            with self._database.reading() as connection:
                page = connection.execute(query).mappings().all()
            yield from map(_record, page)
            if len(page) < PAGE:
                return
            after = page[-1]["number"]

    def newest(self, kind: Kind) -> Entry | None:
        """Return the newest entry of a kind; None where there is none."""
        self._prepare()
        with self._database.reading() as connection:
            row = _newest(connection, ENTRIES.c.kind == kind)
        return read_entry(_record(row)) if row else None

    def head(self) -> Head:
        """Return the newest entry's number and digest, as the database's own second table says.

        Raises:
            LedgerError: that table was emptied.
        """
        self._prepare()
        with self._database.reading() as connection:
            return _read_head(connection)

    def _prepare(self) -> None:
        """Make the tables at first use; where they exist, nothing is written, so reading needs no more."""
        if self._is_ready:
            return
        file = self._database.file
        if file is None or file.exists():
            with self._database.reading() as connection:
                self._is_ready = have_tables(connection)
        if not self._is_ready:
            with self._database.writing() as connection:
                make_tables(connection)
            self._is_ready = True

    def _testify(self, entry: Entry) -> None:
        """Leave the head outside the database; the entry stands even where that fails."""
        try:
            self.head_file.advance(Head(entry.number, entry.digest), self._digest_in_ledger)
        except (OSError, HilumError) as error:
            # What the ledger's own errors say ("nothing was recorded") is not so here.
            reason = error.strerror if isinstance(error, OSError) else "the ledger could not be read again"
            log.warning(
                "Entry %d of the ledger is recorded, but %s could not be written (%s): "
                "until it can, entries cut off the ledger's end would not be missed there.",
                entry.number,
                self.head_file.path,
                reason,
            )

    def _digest_in_ledger(self, number: int) -> str | None:
        with self._database.reading() as connection:
            return connection.scalar(select(ENTRIES.c.digest).where(ENTRIES.c.number == number))


def _head_path(database: Database) -> Path:
    """Return where the head file lies: beside a SQLite file; for PostgreSQL in `HILUM_HOME`, one for each."""
    if database.file:
        return database.file.with_suffix(".head")
    url = database.url
    return settings().home / safe_name(f"ledger-{url.host or 'local'}-{url.port or 5432}-{url.database}.head")


def _read_head(connection: Connection, *, lock: bool = False) -> Head:
    query = select(HEAD.c.number, HEAD.c.digest)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise LedgerError(
            f"The table {HEAD.name} is empty: somebody removed the ledger's head. "
            "`hilum ledger verify` says what is left; restore the database from a backup."
        )
    return Head(row.number, row.digest)


def _newest(connection: Connection, condition: ColumnElement[bool]) -> RowMapping | None:
    query = select(ENTRIES).where(condition).order_by(ENTRIES.c.number.desc()).limit(1)
    return connection.execute(query).mappings().one_or_none()


def _check_newest(connection: Connection, kind: Kind, expect: int) -> None:
    """Refuse where another entry of the kind came since the caller looked."""
    row = _newest(connection, ENTRIES.c.kind == kind)
    if (row["number"] if row else 0) != expect:
        raise ConcurrentChangeError(kind, expect, row["number"] if row else 0, row["who"] if row else "")


def _record(row: RowMapping) -> Record:
    """Return a row as JSON has it."""
    try:
        facts = json.loads(row["facts"])
    except ValueError:
        facts = row["facts"]
    return {**row, "facts": facts}
