"""A registration is in the ledger once, whoever records it."""

from pathlib import Path

from tests.support.ledgers import sqlite_url
from training.export.registration import record_registration
from training.ledger.ledger import Ledger
from training.registry import SHA256_TAG, RegisteredVersion


def test_a_registration_is_recorded_once_and_afterwards_where_it_was_lost(tmp_path: Path) -> None:
    first, second = (
        RegisteredVersion(
            name="xray_filter", number=number, run_id="r", created_ms=0, tags={SHA256_TAG: "ab"}
        )
        for number in (1, 2)
    )
    with Ledger(sqlite_url(tmp_path)) as ledger:
        record_registration(ledger, second, who="Ada")
        for version in (first, second):
            record_registration(ledger, version, who="Bob", why="lost")
        found = [(entry.facts["version"], entry.who, entry.why) for entry in ledger.entries()]
    assert found == [(2, "Ada", ""), (1, "Bob", "lost")]
