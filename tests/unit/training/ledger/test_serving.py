"""Who served when, as the ledger's rollouts tell it, and where they cannot."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.support.ledgers import START, chain
from training.ledger.entry import Entry, Kind
from training.ledger.sentences import describe_serving
from training.ledger.serving import Answer, who_served

Event = tuple[Kind, Mapping[str, Any]]


def rollout(
    kind: Kind, champion: int | None, challenger: int | None = None, *, target: str = "live", **more: Any
) -> Event:
    facts = {"champion": champion, "challenger": challenger, "target": target, "triton": "gpu:8001"}
    return kind, facts | more


def done(champion: int | None, challenger: int | None = None, **more: Any) -> Event:
    return rollout("rolled_out", champion, challenger, **{"outcome": "loaded", **more})


def moved(release: int | None, *, alias: str = "champion", forced: bool = False) -> Event:
    return "alias_moved", {"alias": alias, "release": release, "before": None, "forced": forced}


def judged(release: int, outcome: str = "passed") -> Event:
    return "judged", {"release": release, "outcome": outcome, "against": None, "policy": "p", "run_id": "r"}


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def summary(answer: Answer) -> list[tuple[str, str, int, str]]:
    return [(each.target, each.role, each.release, each.certainty) for each in answer.servings]


STORY: list[Entry] = chain(
    ("released", {"release": 1, "digest": "d1", "filter": 1, "classifier": 1}),  # minute 0
    judged(1, "failed"),
    judged(1),
    ("approved", {"release": 1, "digest": "d1"}),
    moved(1),  # minute 4
    rollout("rollout_began", 1),
    done(1),  # minute 6
    moved(2, forced=True),
    rollout("rollout_began", 2),  # minute 8
    rollout("rollout_failed", 2, error="no memory"),
    rollout("rollout_began", 2),  # minute 10
    done(2),
    done(2, outcome="verified"),  # minute 12
)


def test_nothing_served_before_the_first_rollout_ended() -> None:
    assert summary(who_served(STORY, at(-1))) == []
    assert summary(who_served(STORY, at(4.5))) == []
    began = who_served(STORY, at(5))
    assert summary(began) == [("live", "champion", 1, "may_have_answered")]
    assert "began at 2026-03-01T12:05:00+00:00 (entry 6) had not ended" in began.doubts[0]


def test_the_release_since_when_by_whom_and_on_what_evidence() -> None:
    (serving,) = who_served(STORY, at(7)).servings
    assert (serving.release, serving.digest, serving.triton) == (1, "d1", "gpu:8001")
    assert serving.rollout.number == 7
    assert serving.decision is not None
    assert serving.decision.number == 5
    assert serving.verdict is not None
    assert serving.verdict.number == 3
    assert [entry.number for entry in serving.approvals] == [4]
    assert not serving.was_forced


def test_the_very_moment_of_an_entry_counts_as_after_it() -> None:
    assert summary(who_served(STORY, at(6))) == [("live", "champion", 1, "answered")]
    assert summary(who_served(STORY, at(6) - timedelta(microseconds=1)))[0][3] == "may_have_answered"


def test_while_a_rollout_runs_either_may_have_answered() -> None:
    expected = [("live", "champion", 1, "may_have_answered"), ("live", "champion", 2, "may_have_answered")]
    assert summary(who_served(STORY, at(8.5))) == expected


def test_a_failed_rollout_leaves_the_old_release() -> None:
    answer = who_served(STORY, at(9))
    assert summary(answer) == [("live", "champion", 1, "answered")]
    assert answer.doubts == ()


def test_a_rollout_that_confirms_does_not_change_since_when() -> None:
    (serving,) = who_served(STORY, None).servings
    assert (serving.release, serving.certainty, serving.rollout.number) == (2, "answered", 12)
    assert serving.was_forced
    assert serving.verdict is None
    assert serving.digest is None


def test_a_rollout_that_was_cut_short_leaves_a_doubt_until_one_completes() -> None:
    entries = chain(done(1), rollout("rollout_began", 2), rollout("rollout_began", 3), done(3))
    assert [each[2:] for each in summary(who_served(entries, at(2)))] == [
        (1, "may_have_answered"),
        (2, "may_have_answered"),
        (3, "may_have_answered"),
    ]
    assert [each[2:] for each in summary(who_served(entries, at(3)))] == [(3, "answered")]


def test_the_champion_is_certain_while_only_the_challenger_changes() -> None:
    entries = chain(done(1, 2), rollout("rollout_began", 1, 3))
    assert summary(who_served(entries, None)) == [
        ("live", "champion", 1, "answered"),
        ("live", "challenger", 2, "may_have_answered"),
        ("live", "challenger", 3, "may_have_answered"),
    ]
    dropped = chain(done(1, 2), rollout("rollout_began", 1))
    assert summary(who_served(dropped, None))[1] == ("live", "challenger", 2, "may_have_answered")
    assert len(who_served(chain(done(1, 2), done(1)), None).servings) == 1


def test_a_challenger_is_explained_by_its_own_alias() -> None:
    entries = chain(moved(1), moved(2, alias="challenger"), done(1, 2))
    champion, challenger = who_served(entries, None).servings
    assert champion.decision is not None
    assert challenger.decision is not None
    assert (champion.decision.number, challenger.decision.number) == (1, 2)


def test_a_release_that_returns_counts_from_its_return() -> None:
    entries = chain(moved(1), done(1), moved(2), done(2), moved(1), done(1))
    (serving,) = who_served(entries, None).servings
    assert serving.rollout.number == 6
    assert serving.decision is not None
    assert serving.decision.number == 5


def test_two_tritons_that_read_one_repository_are_told_apart() -> None:
    entries = chain(done(1, triton="a:8001"), done(1, triton="b:8001"), done(2, triton="b:8001"))
    answer = who_served(entries, None)
    assert [(each.triton, each.release) for each in answer.servings] == [("a:8001", 1), ("b:8001", 2)]
    (only,) = who_served(entries, None, target="a:8001").servings
    assert only.release == 1


def test_a_decision_that_lost_a_race_explains_nothing() -> None:
    def based(basis: int) -> Event:
        return "alias_moved", {**moved(1)[1], "basis": basis}

    (serving,) = who_served(chain(based(0), based(0), done(1)), None).servings
    assert serving.decision is not None
    assert serving.decision.number == 1
    (serving,) = who_served(chain(based(0), based(1), done(1)), None).servings
    assert serving.decision is not None
    assert serving.decision.number == 2


def test_a_decision_that_another_replaced_explains_no_forced_deployment() -> None:
    entries = chain(moved(3), done(3), moved(4), done(4), who="alice")
    entries += [
        replace(entry, number=entry.number + 4, who="bob", why="the ward asks")
        for entry in chain(rollout("rollout_began", 3), done(3), minutes=[4, 5])
    ]
    (serving,) = who_served(entries, None).servings
    assert (serving.release, serving.rollout.number, serving.decision) == (3, 6, None)
    text = describe_serving(serving)
    assert "rolled out by bob (entry 6): the ward asks" in text
    assert "No decision of an alias stands behind it" in text
    assert "alice" not in text


def test_a_deployment_past_the_gate_is_told_with_its_reason_although_no_decision_stands_behind_it() -> None:
    forced: dict[str, Any] = {"forced": True, "overrode": "No gate has judged release 3."}
    entries = chain(moved(1), done(1), rollout("rollout_began", 3, **forced), done(3, **forced))
    entries[-1] = replace(entries[-1], why="a drill")
    (serving,) = who_served(entries, None).servings
    assert (serving.record["decision"], serving.record["forced"]) == (None, True)
    assert serving.record["reason"] == "a drill"
    assert "It was deployed past the gate: No gate has judged release 3." in describe_serving(serving)
    (before,) = who_served(entries, at(1)).servings
    assert (before.record["forced"], before.record["reason"]) == (False, "reason 1")  # the decision's


def test_a_decision_during_a_rollout_does_not_hide_the_one_it_carried_out() -> None:
    entries = chain(moved(3), rollout("rollout_began", 3), moved(4), done(3))
    (serving,) = who_served(entries, None).servings
    assert serving.decision is not None
    assert serving.decision.number == 1


def test_every_target_has_its_own_answer() -> None:
    entries = chain(done(1, target="a"), done(2, target="b"), rollout("rollout_began", 3, target="b"))
    assert summary(who_served(entries, None)) == [
        ("a", "champion", 1, "answered"),
        ("b", "champion", 2, "may_have_answered"),
        ("b", "champion", 3, "may_have_answered"),
    ]
    only = who_served(entries, None, target="a")
    assert (len(only.servings), only.doubts) == (1, ())
    assert who_served(entries, None, target="c").servings == ()


def test_what_was_written_while_triton_was_down_did_not_answer_yet() -> None:
    entries = chain(done(1), done(2, outcome="written"), done(2, outcome="verified"))
    assert summary(who_served(entries, at(1))) == [("live", "champion", 2, "written")]
    (later,) = who_served(entries, None).servings
    assert (later.certainty, later.rollout.number) == ("answered", 3)


def test_where_a_clock_ran_behind_the_numbers_give_the_order_and_a_doubt_is_raised() -> None:
    entries = chain(done(1), done(2), done(3), done(4), minutes=[0, 20, 10, 30])
    answer = who_served(entries, at(15))
    assert summary(answer) == [("live", "champion", 1, "answered")]
    assert "entry 3 says 2026-03-01T12:10:00+00:00" in answer.doubts[0]
    assert summary(who_served(entries, at(20))) == [("live", "champion", 3, "answered")]
    assert who_served(entries, at(20)).doubts == ()
