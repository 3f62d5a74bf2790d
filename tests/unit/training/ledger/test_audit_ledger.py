"""A ledger is held against its second table and its head file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ledgers import fill, intrude, sqlite_url
from training.ledger.audit import Witness
from training.ledger.audit_ledger import audit_ledger
from training.ledger.entry import make_entry
from training.ledger.head import Head
from training.ledger.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(sqlite_url(tmp_path)) as book:
        yield book


def test_an_empty_ledger_is_sound(ledger: Ledger) -> None:
    audit = audit_ledger(ledger)
    assert (audit.entries, audit.findings) == (0, ())


def test_a_ledger_that_was_deleted_is_missed(ledger: Ledger, tmp_path: Path) -> None:
    fill(ledger, 3)
    (tmp_path / "ledger.db").unlink()
    with Ledger(sqlite_url(tmp_path)) as fresh:
        (finding,) = audit_ledger(fresh).findings
    assert finding.problem == "truncated"
    assert f"{tmp_path / 'ledger.head'} testifies to entry 3" in finding.sentence


def test_a_missing_head_file_is_a_warning_until_a_kept_head_says_more(ledger: Ledger, tmp_path: Path) -> None:
    entries = fill(ledger, 3)
    (tmp_path / "ledger.head").unlink()
    audit = audit_ledger(ledger)
    assert audit.is_sound
    assert [finding.problem for finding in audit.findings] == ["no_head"]
    intrude(
        sqlite_url(tmp_path),
        "DELETE FROM hilum_ledger WHERE number = 3",
        f"UPDATE hilum_ledger_head SET number = 2, digest = '{entries[1].digest}'",
    )
    assert audit_ledger(ledger).is_sound  # this is what only a head kept elsewhere shows
    given = Witness(head=Head(3, entries[2].digest), source="--head")
    assert not audit_ledger(ledger, [given]).is_sound


def test_a_damaged_head_file_and_a_removed_head_are_named(ledger: Ledger, tmp_path: Path) -> None:
    fill(ledger, 1)
    (tmp_path / "ledger.head").write_text("nonsense")
    intrude(sqlite_url(tmp_path), "DELETE FROM hilum_ledger_head")
    audit = audit_ledger(ledger)
    assert [finding.problem for finding in audit.findings] == ["unreadable", "unreadable"]
    assert "hilum_ledger_head is empty" in audit.findings[0].sentence
    assert "ledger.head is damaged" in audit.findings[1].sentence


def test_an_entry_that_hilum_did_not_append_is_found(ledger: Ledger, tmp_path: Path) -> None:
    (first,) = fill(ledger, 1)
    forged = make_entry(
        number=2, at=first.at, kind="approved", who="Ada", why="", facts={}, previous=first.digest
    )
    values = [*forged.record.values()]
    values[5] = "{}"
    intrude(sqlite_url(tmp_path), f"INSERT INTO hilum_ledger VALUES {tuple(values)}")
    (finding,) = audit_ledger(ledger).findings
    assert (finding.problem, finding.entry) == ("rewritten", 2)
    assert "Hilum did not append what stands after entry 1" in finding.sentence
