"""Who had which role when, as it is drawn, and what the ledger's entries are called in both languages."""

from datetime import timedelta
from typing import Any

import pytest

from dashboard.releases.ledger_words import describe
from dashboard.releases.timeline import Span, spans, timeline
from dashboard.releases.verdict_plot import intervals
from tests.support.ledgers import START, chain
from training.ledger.entry import KINDS, Kind
from training.promote.verdict import Check

Event = tuple[Kind, dict[str, Any]]


def moved(alias: str, release: int | None, basis: int, **facts: object) -> Event:
    return "alias_moved", {"alias": alias, "release": release, "before": None, "basis": basis, **facts}


HISTORY = chain(
    moved("champion", 1, 0),
    ("judged", {"release": 2, "outcome": "failed", "against": 1}),
    moved("challenger", 2, 1),
    moved("champion", 2, 3, before=1, forced=True),
    moved("champion", 9, 3),  # lost a race: another decision on the same basis came before
    ("rollout_failed", {"champion": 2, "challenger": None, "target": "there", "error": "out of memory"}),
    moved("champion", 1, 4, before=2, rollback=True),
)


def minutes(span: Span) -> tuple[str, int, float, float]:
    start, end = ((at - START).total_seconds() / 60 for at in (span.start, span.end))
    return span.role, span.release, start, end


def test_each_release_has_its_role_until_the_next_decision_that_took_effect() -> None:
    found = spans(HISTORY, START + timedelta(minutes=10))
    assert sorted(map(minutes, found)) == [
        ("challenger", 2, 2, 3),
        ("champion", 1, 0, 3),
        ("champion", 1, 6, 10),
        ("champion", 2, 3, 6),
    ]
    assert [span.entry.number for span in sorted(found, key=minutes)] == [3, 1, 7, 4]


def test_what_was_refused_forced_and_failed_is_marked_with_who_and_why() -> None:
    plot = timeline(HISTORY, len(HISTORY))
    marked = {trace.name: trace for trace in plot.data if trace.type == "scatter"}
    assert set(marked) == {"gate failed", "past the gate", "rollout failed"}
    assert marked["rollout failed"].hovertext == (
        "rollout of release 2 failed: out of memory<br>2026-03-01 12:05<br>by Ada<br>reason 6",
    )
    assert len({trace.marker.symbol for trace in marked.values()}) == 3
    bars = [trace for trace in plot.data if trace.type == "bar"]
    assert [bar.text for bar in bars].count("release 1") == 2
    assert len({bar.marker.color for bar in bars}) == 2


def test_only_the_newest_entries_bear_signs_and_no_span_is_lost() -> None:
    plot = timeline(HISTORY, 2)
    assert [trace.name for trace in plot.data if trace.type == "scatter"] == ["rollout failed"]
    assert sum(trace.type == "bar" for trace in plot.data) == len(spans(HISTORY, START))


def test_what_people_typed_is_no_markup() -> None:
    (entry,) = chain(("approved", {"release": "<img src=x>"}), who="<b>Eve</b>")
    plot = timeline([entry], 1)
    (hover,) = plot.data[0].hovertext
    assert "<b>" not in hover
    assert "<img" not in hover


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_of_another_hilum_that_lacks_facts_is_told_all_the_same(kind: Kind) -> None:
    (entry,) = chain((kind, {}))
    assert describe(entry)


def test_entries_read_as_sentences() -> None:
    assert [describe(entry) for entry in HISTORY] == [
        "Champion: release 1",
        "the gate on release 2: failed",
        "Challenger: release 2",
        "Champion: release 2 (past the gate)",
        "Champion: release 9",
        "rollout of release 2 failed: out of memory",
        "Champion: release 1 (rolled back)",
    ]


def test_a_check_is_drawn_between_its_bounds_beside_what_is_demanded() -> None:
    numbers = {"difference": -0.01, "lower": -0.05, "upper": 0.02, "margin": 0.03}
    check = Check(name="covid19 AUROC, no worse", outcome="failed", sentence="", numbers=numbers)
    bare = Check(name="golden cases", outcome="passed", sentence="")
    undefined = Check(name="x", outcome="cannot_tell", sentence="", numbers={**numbers, "lower": None})
    plot = intervals([check, bare, undefined], x_title="difference")
    assert plot is not None
    seen, demanded = plot.data
    assert (seen.name, list(seen.x), list(seen.y)) == ("failed", [-0.01], ["covid19 AUROC"])
    assert seen.error_x.array[0] == pytest.approx(0.03)
    assert seen.error_x.arrayminus[0] == pytest.approx(0.04)
    assert list(demanded.x) == [-0.03]
    assert intervals([bare, undefined], x_title="difference") is None
