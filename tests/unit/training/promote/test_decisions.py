"""What a ledger's decisions amount to."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from tests.support.ledgers import sqlite_url
from training.errors import ConcurrentChangeError
from training.ledger.entry import Entry
from training.ledger.ledger import Ledger
from training.promote.decisions import Alias, decide, read_decisions


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(sqlite_url(tmp_path)) as ledger:
        yield ledger


def move(ledger: Ledger, alias: Alias, release: int | None, before: int | None = None) -> dict[str, int]:
    """Decide, and return the aliases that follow."""
    seen = read_decisions(ledger)
    decide(
        ledger, seen, "alias_moved", alias, release,
        before=seen.aliases.get(alias, before), who="Ada", why="", evidence={},
    )  # fmt: skip
    return dict(read_decisions(ledger).aliases)


def since(ledger: Ledger) -> tuple[datetime | None, datetime | None]:
    """Return since when champion and challenger are what they are."""
    found = read_decisions(ledger).since
    assert found.keys() == read_decisions(ledger).aliases.keys()
    return found.get("champion"), found.get("challenger")


def test_nothing_is_decided_at_first(ledger: Ledger) -> None:
    assert read_decisions(ledger).basis == 0
    assert read_decisions(ledger).aliases == {}


def test_one_decision_moves_champion_previous_and_challenger(ledger: Ledger) -> None:
    assert move(ledger, "champion", 1) == {"champion": 1}
    assert move(ledger, "challenger", 2) == {"champion": 1, "challenger": 2}
    assert move(ledger, "champion", 2) == {"champion": 2, "previous": 1}
    assert move(ledger, "champion", 1) == {"champion": 1, "previous": 2}
    assert move(ledger, "challenger", 3) == {"champion": 1, "previous": 2, "challenger": 3}
    assert move(ledger, "champion", 4) == {"champion": 4, "previous": 1, "challenger": 3}
    assert move(ledger, "challenger", None) == {"champion": 4, "previous": 1}
    assert read_decisions(ledger).champions == {1, 2, 4}


def test_the_first_decision_takes_over_what_the_registry_said_before(ledger: Ledger) -> None:
    assert move(ledger, "champion", 5, before=4) == {"champion": 5, "previous": 4}
    assert read_decisions(ledger).champions == {4, 5}


def test_since_when_a_release_has_its_alias(ledger: Ledger) -> None:
    move(ledger, "champion", 1)
    first, _ = since(ledger)
    assert first is not None
    move(ledger, "challenger", 2)
    assert since(ledger)[0] == first
    move(ledger, "champion", 1)  # it is that already
    champion, challenger = since(ledger)
    assert champion == first
    assert challenger is not None
    assert challenger > first
    move(ledger, "champion", 2)
    champion, challenger = since(ledger)
    assert champion is not None
    assert champion > first
    assert challenger is None


def test_no_release_is_challenger_or_previous_of_itself(ledger: Ledger) -> None:
    move(ledger, "champion", 1)
    assert move(ledger, "challenger", 1) == {"champion": 1}
    assert move(ledger, "previous", 1) == {"champion": 1}


def test_putting_an_alias_back_changes_nothing_and_makes_no_champion(ledger: Ledger) -> None:
    move(ledger, "champion", 1)
    move(ledger, "champion", 2)
    decide(
        ledger, read_decisions(ledger), "alias_moved", "champion", 2,
        before=9, who="watcher", why="by hand", evidence={},
    )  # fmt: skip
    decided = read_decisions(ledger)
    assert decided.aliases == {"champion": 2, "previous": 1}
    assert decided.champions == {1, 2}


def test_other_entries_decide_nothing(ledger: Ledger) -> None:
    move(ledger, "champion", 1)
    ledger.append("released", who="Ada", facts={"release": 7, "digest": "ab"})
    ledger.append("rolled_out", who="Ada", facts={"champion": 7})
    decided = read_decisions(ledger)
    assert decided.aliases == {"champion": 1}
    assert decided.began == next(ledger.entries()).at


def test_a_decision_that_came_too_late_is_refused_and_leaves_nothing(ledger: Ledger) -> None:
    seen = read_decisions(ledger)
    move(ledger, "champion", 1)
    with pytest.raises(ConcurrentChangeError, match=r"Somebody was faster.* by Ada"):
        decide(
            ledger, seen, "alias_moved", "champion", 2, before=None, who="Bob", why="", evidence={}
        )  # fmt: skip
    assert len(list(ledger.entries())) == 1


class OvertakenLedger(Ledger):
    """A ledger into which somebody adopts an alias just before a promotion is appended."""

    @override
    def append(self, kind: Any, **named: Any) -> Entry:
        if kind == "alias_moved" and named["facts"]["release"] == 2:
            facts = {**named["facts"], "release": 9}
            super().append("adopted", who="watcher", facts=facts)
        return super().append(kind, **named)


def test_a_promotion_that_an_adoption_overtook_is_not_recorded(tmp_path: Path) -> None:
    with OvertakenLedger(sqlite_url(tmp_path)) as ledger:
        move(ledger, "champion", 1)
        with pytest.raises(ConcurrentChangeError, match="by watcher"):
            move(ledger, "champion", 2)
        assert [entry.kind for entry in ledger.entries()] == ["alias_moved", "adopted"]
        assert read_decisions(ledger).aliases == {"champion": 9, "previous": 1}
        assert move(ledger, "champion", 3) == {"champion": 3, "previous": 9}
