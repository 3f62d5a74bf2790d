"""The ledger in real databases: many writers at once, and what an intruder changes is found."""

import itertools
import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from hilum.errors import ServiceUnreachableError
from hilum.settings import settings
from tests.support.ledgers import connection, fill, intrude, sqlite_url
from tests.support.postgres import Postgres, find_postgres, running_postgres
from training.errors import ConcurrentChangeError, LedgerBusyError, LedgerError
from training.ledger import database
from training.ledger.audit_ledger import audit_ledger
from training.ledger.ledger import Ledger

WRITERS = 4
ENTRIES_EACH = 20
CUT = "DELETE FROM hilum_ledger WHERE number > 4"
CUT_HEAD = (
    "UPDATE hilum_ledger_head SET number = 4, digest = (SELECT digest FROM hilum_ledger WHERE number = 4)"
)
SWAP = [
    "UPDATE hilum_ledger SET number = -1 WHERE number = 2",
    "UPDATE hilum_ledger SET number = 2 WHERE number = 3",
    "UPDATE hilum_ledger SET number = 3 WHERE number = -1",
]
COUNTER = itertools.count()
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    binaries = find_postgres()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with running_postgres(binaries) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a ledger that does not exist yet."""
    monkeypatch.setenv("HILUM_HOME", str(tmp_path))
    settings.cache_clear()
    if request.param == "sqlite":
        yield sqlite_url(tmp_path)
    else:
        server: Postgres = request.getfixturevalue("postgres")
        yield server.create_database(f"ledger_{next(COUNTER)}")
    settings.cache_clear()


def write(url: str, who: str, barrier: Any, outcomes: Any) -> None:
    """Append at the same time as others, each time first trying to be the only one who decides."""
    with Ledger(url) as ledger:
        barrier.wait(60)
        try:
            outcomes.put(
                ledger.append("alias_moved", who=who, facts={"release": 1}, expect={"alias_moved": 0}).who
            )
        except ConcurrentChangeError:
            outcomes.put(None)
        for index in range(ENTRIES_EACH):
            ledger.append("registered", who=who, facts={"index": index})


def die_while_writing(url: str) -> None:
    """Leave in the middle of an append, as a killed process does."""
    ledger = Ledger(url)
    with ledger._database.writing() as opened:
        opened.exec_driver_sql(
            "INSERT INTO hilum_ledger "
            "SELECT number + 1, '', 'judged', '', '', '', '', '' FROM hilum_ledger_head"
        )
        os._exit(9)


def test_many_processes_append_at_once(url: str) -> None:
    barrier, outcomes = SPAWN.Barrier(WRITERS), SPAWN.Queue()
    names = [f"writer {index}" for index in range(WRITERS)]
    writers = [SPAWN.Process(target=write, args=(url, name, barrier, outcomes)) for name in names]
    for writer in writers:
        writer.start()
    decided = [outcomes.get(timeout=120) for _ in writers]
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    assert decided.count(None) == WRITERS - 1
    with Ledger(url) as ledger:
        entries = list(ledger.entries())
        audit = audit_ledger(ledger)
        assert audit.findings == ()
        kept = ledger.head_file.read()
    assert [entry.number for entry in entries] == list(range(1, WRITERS * ENTRIES_EACH + 2))
    for name in names:
        own = [entry.facts["index"] for entry in entries if (entry.who, entry.kind) == (name, "registered")]
        assert own == list(range(ENTRIES_EACH))
    assert [entry.who for entry in entries if entry.kind == "alias_moved"] == [
        name for name in decided if name is not None
    ]
    assert kept == audit.head


def test_a_writer_that_is_killed_leaves_nothing_behind(url: str) -> None:
    with Ledger(url) as ledger:
        fill(ledger, 2)
        killed = SPAWN.Process(target=die_while_writing, args=(url,))
        killed.start()
        killed.join(120)
        assert killed.exitcode == 9
        (third,) = fill(ledger, 1)
        assert third.number == 3
        assert audit_ledger(ledger).findings == ()


def test_the_database_refuses_changes(url: str) -> None:
    statements = [
        "UPDATE hilum_ledger SET who = 'Eve' WHERE number = 2",
        "DELETE FROM hilum_ledger WHERE number = 3",
        "DELETE FROM hilum_ledger_head",
        "UPDATE hilum_ledger_head SET number = 1",
        "INSERT INTO hilum_ledger_head VALUES (2, 9, '')",
        "INSERT INTO hilum_ledger VALUES (9, '', 'judged', '', '', '', '', '')",
    ]
    if url.startswith("sqlite"):
        statements.append("INSERT OR REPLACE INTO hilum_ledger VALUES (2, '', 'judged', '', '', '', '', '')")
        statements.append("INSERT OR REPLACE INTO hilum_ledger_head VALUES (1, 1, '')")
    else:
        statements += ["TRUNCATE hilum_ledger", "TRUNCATE hilum_ledger_head"]
    with Ledger(url) as ledger:
        fill(ledger, 3)
        for statement in statements:
            with pytest.raises(DBAPIError), connection(url) as opened:
                opened.exec_driver_sql(statement)
        assert audit_ledger(ledger).findings == ()


@pytest.mark.parametrize(
    ("statements", "found", "found_later"),
    [
        (["UPDATE hilum_ledger SET who = 'Eve' WHERE number = 3"], [("altered", 3)], [("altered", 3)]),
        (["UPDATE hilum_ledger SET facts = 'none' WHERE number = 3"], [("altered", 3)], [("altered", 3)]),
        (["DELETE FROM hilum_ledger WHERE number IN (2, 3)"], [("missing", 2)], [("missing", 2)]),
        # Both the second table and the head file testify to entry 6; new entries come after the hole.
        (["DELETE FROM hilum_ledger WHERE number > 4"], [("truncated", 5)] * 2, [("missing", 5)]),
        # Only the head file is left to testify, and does not take the new entry 6 for its own.
        ([CUT, CUT_HEAD], [("truncated", 5)], [("rewritten", 6)]),
        (SWAP, [("altered", 2), ("altered", 3)], [("altered", 2), ("altered", 3)]),
    ],
    ids=["altered", "no JSON", "removed", "cut off", "cut off with its head", "swapped"],
)
def test_what_an_intruder_changes_is_found_and_stays_found(
    url: str,
    statements: list[str],
    found: list[tuple[str, int]],
    found_later: list[tuple[str, int]],
) -> None:
    with Ledger(url) as ledger:
        fill(ledger, 6)
        intrude(url, *statements)
        assert [(each.problem, each.entry) for each in audit_ledger(ledger).findings] == found
        fill(ledger, 2)
        assert [(each.problem, each.entry) for each in audit_ledger(ledger).findings] == found_later


def test_a_held_database_is_waited_for_with_a_bound(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WAIT_S", 0.2)
    with Ledger(url) as ledger, Ledger(url) as other:
        fill(ledger, 1)
        with other._database.writing() as opened:
            opened.exec_driver_sql("UPDATE hilum_ledger_head SET number = number + 1")
            with pytest.raises(
                LedgerBusyError, match=r"held by other writers for 0\.2 s\. Nothing was recorded"
            ):
                fill(ledger, 1)
            opened.rollback()
        assert fill(ledger, 1)[0].number == 2


def test_postgresql_may_restart_between_appends(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HILUM_HOME", str(tmp_path))
    settings.cache_clear()
    with Ledger(postgres.create_database("restarted")) as ledger:
        fill(ledger, 1)
        assert ledger.head_file.path.parent == tmp_path
        postgres.stop()
        try:
            with pytest.raises(ServiceUnreachableError, match="PostgreSQL, which holds the ledger") as caught:
                fill(ledger, 1)
        finally:
            postgres.start()
        assert "secret" not in str(caught.value) + ledger.where
        assert fill(ledger, 1)[0].number == 2
    settings.cache_clear()


def test_postgresql_roles_need_no_more_rights_than_documented(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HILUM_HOME", str(tmp_path))
    settings.cache_clear()
    url = postgres.create_database("audited")
    with Ledger(url) as ledger:
        fill(ledger, 3)
    with connection(url) as opened:
        opened.exec_driver_sql("CREATE ROLE auditor LOGIN")
        opened.exec_driver_sql("GRANT SELECT ON hilum_ledger, hilum_ledger_head TO auditor")
        opened.exec_driver_sql("CREATE ROLE writer LOGIN")
        opened.exec_driver_sql("GRANT SELECT, INSERT ON hilum_ledger TO writer")
        opened.exec_driver_sql("GRANT SELECT, UPDATE ON hilum_ledger_head TO writer")
    with Ledger(postgres.url("audited", user="writer")) as ledger:
        assert fill(ledger, 1)[0].number == 4
    with pytest.raises(DBAPIError, match="must be owner"):
        intrude(postgres.url("audited", user="writer"))
    with Ledger(postgres.url("audited", user="auditor")) as ledger:
        assert audit_ledger(ledger).entries == 4
        with pytest.raises(LedgerError, match="refused: permission denied"):
            fill(ledger, 1)
    settings.cache_clear()
