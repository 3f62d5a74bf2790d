"""Ledgers with entries, and an intruder who writes into one past its triggers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from training.ledger.database import Database
from training.ledger.entry import GENESIS, Entry, Kind, make_entry
from training.ledger.ledger import Ledger

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""Time of the first entry of `chain`."""


def sqlite_url(folder: Path) -> str:
    """Return the URL of a ledger in `folder`."""
    return f"sqlite:///{folder / 'ledger.db'}"


def fill(ledger: Ledger, count: int) -> list[Entry]:
    """Append approvals of releases 1 to `count`."""
    return [
        ledger.append(
            "approved", who="Ada", why="looks right", facts={"release": number, "digest": "ab" * 32}
        )
        for number in range(1, count + 1)
    ]


def chain(
    *events: tuple[Kind, Mapping[str, Any]], minutes: Sequence[float] | None = None, who: str = "Ada"
) -> list[Entry]:
    """Return chained entries a minute apart, or at `minutes` after `START`."""
    entries: list[Entry] = []
    for index, (kind, facts) in enumerate(events):
        entries.append(
            make_entry(
                number=index + 1,
                at=START + timedelta(minutes=minutes[index] if minutes else index),
                kind=kind,
                who=who,
                why=f"reason {index + 1}",
                facts=facts,
                previous=entries[-1].digest if entries else GENESIS,
            )
        )
    return entries


@contextmanager
def connection(url: str) -> Iterator[Connection]:
    """Open the ledger's database without Hilum; what is done is committed."""
    with create_engine(Database(url).url, poolclass=NullPool).begin() as opened:
        yield opened


def intrude(url: str, *statements: str) -> None:
    """Run SQL as somebody who may drop the triggers does."""
    with connection(url) as opened:
        if opened.dialect.name == "sqlite":
            names = opened.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars()
            for name in names.all():
                opened.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            for table in ("hilum_ledger", "hilum_ledger_head"):
                opened.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        for statement in statements:
            opened.exec_driver_sql(statement)
