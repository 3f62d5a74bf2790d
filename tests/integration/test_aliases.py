"""The registry's aliases against the ledger: moves that were cut short, and moves by hand in MLflow."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import mlflow
import pytest
from typing_extensions import override

from hilum.contract import SCREENING
from tests.support.ledgers import sqlite_url
from tests.support.registries import KilledError, KilledWriter, without_aliases
from tests.support.rollout_site import ToyReleases
from tests.support.signed_answers import FIRST, SECOND, THIRD
from training.errors import LedgerError, PromotionError
from training.ledger.entry import Entry
from training.ledger.ledger import Ledger
from training.promote.aliases import DECISION_TAG, HandMoved, look, reconcile_aliases, settle
from training.promote.decisions import read_decisions
from training.promote.promotion import promote_release, roll_back
from training.registry import Registry


@pytest.fixture
def releases(toy_releases: ToyReleases) -> tuple[int, int, int]:
    return toy_releases.number(FIRST), toy_releases.number(SECOND), toy_releases.number(THIRD)


@pytest.fixture
def registry(toy_releases: ToyReleases, releases: Sequence[int]) -> Registry:
    return without_aliases(toy_releases.registry)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(sqlite_url(tmp_path)) as ledger:
        yield ledger


def force(registry: Registry, ledger: Ledger, *numbers: int) -> None:
    for number in numbers:
        promote_release(registry, ledger, number, who="Ada", reason="test", force=True)


def reconcile(registry: Registry, ledger: Ledger, policy: HandMoved = "refuse") -> list[tuple[str, str]]:
    done = reconcile_aliases(registry, ledger, policy=policy, who="watcher")
    assert reconcile_aliases(registry, ledger, policy=policy, who="watcher") == ()
    assert look(registry, ledger).drifts == ()
    return [(each.drift.alias, each.action) for each in done]


def newest(ledger: Ledger) -> Entry:
    return list(ledger.entries())[-1]


@pytest.mark.parametrize("writes", range(4))
def test_whoever_comes_next_completes_a_promotion_that_was_killed(
    registry: Registry, ledger: Ledger, releases: Sequence[int], mlflow_server: str, writes: int
) -> None:
    first, second, third = releases
    force(registry, ledger, first)
    promote_release(registry, ledger, second, role="challenger", who="Ada")
    with pytest.raises(KilledError):  # after moving none, one, two or all of previous, champion, challenger
        force(KilledWriter(mlflow_server, writes=writes), ledger, second)
    assert look(registry, ledger).is_unfinished
    if writes < 2:
        force(registry, ledger, third)
        assert registry.aliases(SCREENING) == {"champion": third, "previous": second}
    else:
        drifting = [("challenger", "completed")] if writes == 2 else []
        assert reconcile(registry, ledger) == drifting
        assert registry.aliases(SCREENING) == {"champion": second, "previous": first}


def test_a_rollback_completes_a_promotion_that_was_killed(
    registry: Registry, ledger: Ledger, releases: Sequence[int], mlflow_server: str
) -> None:
    first, second, _ = releases
    force(registry, ledger, first)
    with pytest.raises(KilledError):
        force(KilledWriter(mlflow_server, writes=1), ledger, second)
    assert registry.aliases(SCREENING)["champion"] == first
    assert roll_back(registry, ledger, who="Ada").release == first
    assert registry.aliases(SCREENING) == {"champion": first, "previous": second}


class SlowWriter(Registry):
    """A registry whose process sleeps before it moves the champion, until another promotion is through."""

    ledger: Ledger
    overtaking: int

    @override
    def set_alias(self, name: str, alias: str, number: int) -> None:
        overtaking, self.overtaking = self.overtaking, 0
        if alias == "champion" and overtaking:
            force(self, self.ledger, overtaking)
        else:
            self.overtaking = overtaking
        super().set_alias(name, alias, number)


def test_a_slow_process_does_not_put_the_champion_back_for_good(
    registry: Registry, ledger: Ledger, releases: Sequence[int], mlflow_server: str
) -> None:
    first, second, third = releases
    force(registry, ledger, first)
    slow = SlowWriter(mlflow_server)
    slow.ledger, slow.overtaking = ledger, third
    force(slow, ledger, second)
    assert registry.aliases(SCREENING) == {"champion": third, "previous": second}
    assert reconcile(registry, ledger) == []


def test_an_alias_moved_by_hand_is_put_back_and_that_is_recorded(
    registry: Registry, ledger: Ledger, releases: Sequence[int]
) -> None:
    first, second, third = releases
    force(registry, ledger, first, second)
    registry.set_alias(SCREENING, "champion", third)
    (drift,) = look(registry, ledger).drifts
    assert drift.sentence == (
        f"The alias champion in MLflow names release {third}, decided was that it names release {second}: "
        "it was moved by hand."
    )
    with pytest.raises(PromotionError, match=r"moved by hand\. `hilum rollout apply` puts it back"):
        force(registry, ledger, third)
    assert reconcile(registry, ledger) == [("champion", "put_back")]
    assert registry.aliases(SCREENING) == {"champion": second, "previous": first}
    entry = newest(ledger)
    assert (entry.kind, entry.who, entry.why) == ("alias_moved", "watcher", drift.sentence)
    assert (entry.facts["release"], entry.facts["before"]) == (second, third)
    with pytest.raises(PromotionError, match=f"Release {third} never was champion"):
        roll_back(registry, ledger, to=third, who="Ada")


def test_an_alias_moved_by_hand_is_adopted_where_that_is_the_policy(
    registry: Registry, ledger: Ledger, releases: Sequence[int]
) -> None:
    first, second, third = releases
    force(registry, ledger, first)
    registry.set_alias(SCREENING, "champion", second)
    registry.set_alias(SCREENING, "challenger", third)
    assert sorted(reconcile(registry, ledger, "adopt")) == [
        ("challenger", "adopted"),
        ("champion", "adopted"),
    ]
    assert registry.aliases(SCREENING) == {"champion": second, "challenger": third, "previous": first}
    adopted = [entry for entry in ledger.entries() if entry.kind == "adopted"]
    assert [(entry.facts["alias"], entry.facts["release"], entry.facts["before"]) for entry in adopted] == [
        ("champion", second, first),
        ("challenger", third, None),
    ]
    assert roll_back(registry, ledger, who="Ada").release == first


def test_an_alias_deleted_by_hand_comes_back_or_stays_away(
    registry: Registry, ledger: Ledger, releases: Sequence[int]
) -> None:
    first, second, _ = releases
    force(registry, ledger, first)
    promote_release(registry, ledger, second, role="challenger", who="Ada")
    registry.delete_alias(SCREENING, "challenger")
    assert reconcile(registry, ledger) == [("challenger", "put_back")]
    assert registry.aliases(SCREENING) == {"champion": first, "challenger": second}
    registry.delete_alias(SCREENING, "challenger")
    assert reconcile(registry, ledger, "adopt") == [("challenger", "adopted")]
    assert registry.aliases(SCREENING) == {"champion": first}


def test_what_served_before_the_ledger_began_is_taken_over(
    registry: Registry, ledger: Ledger, releases: Sequence[int]
) -> None:
    first, second, _ = releases
    registry.set_alias(SCREENING, "previous", first)
    registry.set_alias(SCREENING, "champion", second)
    assert look(registry, ledger).drifts[0].sentence.endswith("from before this ledger began.")
    assert reconcile(registry, ledger) == [("previous", "adopted"), ("champion", "adopted")]
    assert registry.aliases(SCREENING) == {"champion": second, "previous": first}
    assert newest(ledger).facts["before"] == first


def test_a_new_release_is_no_champion_by_hand_even_where_nothing_was_promoted_yet(
    registry: Registry, ledger: Ledger, releases: Sequence[int], toy_releases: ToyReleases
) -> None:
    ledger.append("registered", who="Ada", facts={})
    registry.set_alias(SCREENING, "champion", toy_releases.forge(releases[0], embedding_size=10))
    assert reconcile(registry, ledger) == [("champion", "put_back")]
    assert registry.aliases(SCREENING) == {}


def test_the_aliases_of_another_ledger_are_left_alone(
    registry: Registry, ledger: Ledger, releases: Sequence[int], tmp_path: Path
) -> None:
    first, second, third = releases
    force(registry, ledger, first)
    with Ledger(sqlite_url(tmp_path / "other")) as other:
        with pytest.raises(LedgerError, match=f"a decision that the ledger at {other.where} does not hold"):
            force(registry, other, second)  # also while it is empty
        assert reconcile(registry, other, "adopt") == [("champion", "adopted")]
        force(registry, other, second)
        with pytest.raises(LedgerError, match=f"a decision that the ledger at {ledger.where} does not hold"):
            reconcile_aliases(registry, ledger, policy="refuse", who="watcher")
        with pytest.raises(LedgerError, match="HILUM_HAND_MOVED_ALIASES=adopt hilum rollout apply"):
            force(registry, ledger, third)
        assert registry.aliases(SCREENING) == {"champion": second, "previous": first}
        assert reconcile(registry, ledger, "adopt") == [("previous", "adopted"), ("champion", "adopted")]
    assert registry.aliases(SCREENING) == {"champion": second, "previous": first}
    force(registry, ledger, third)


def test_a_tag_that_somebody_wrote_is_no_decision(
    registry: Registry, ledger: Ledger, releases: Sequence[int]
) -> None:
    force(registry, ledger, releases[0])
    registry.set_model_tag(SCREENING, DECISION_TAG, "rubbish")
    assert look(registry, ledger).is_foreign
    mlflow.MlflowClient().delete_registered_model_tag(SCREENING, DECISION_TAG)
    assert look(registry, ledger).is_unfinished
    assert reconcile(registry, ledger) == []


def test_a_release_that_was_deleted_from_the_registry_holds_up_nothing(
    registry: Registry, ledger: Ledger, releases: Sequence[int], toy_releases: ToyReleases
) -> None:
    first, second, _ = releases
    gone = toy_releases.forge(first, embedding_size=7)
    force(registry, ledger, gone, first)
    mlflow.MlflowClient().delete_model_version(SCREENING, str(gone))
    assert look(registry, ledger).drifts == ()
    force(registry, ledger, second)
    assert registry.aliases(SCREENING) == {"champion": second, "previous": first}


def test_a_hand_moved_alias_does_not_inherit_the_place_of_a_champion_that_was_deleted(
    registry: Registry, ledger: Ledger, releases: Sequence[int], toy_releases: ToyReleases
) -> None:
    first, second, _ = releases
    gone = toy_releases.forge(first, embedding_size=12)
    force(registry, ledger, first, gone)
    mlflow.MlflowClient().delete_model_version(SCREENING, str(gone))
    registry.set_alias(SCREENING, "champion", second)
    assert reconcile(registry, ledger) == [("champion", "put_back")]
    assert registry.aliases(SCREENING) == {"previous": first}
    assert second not in read_decisions(ledger).champions


def test_where_nothing_was_decided_nothing_is_done(registry: Registry, ledger: Ledger) -> None:
    assert reconcile(registry, ledger) == []
    assert settle(registry, ledger) == read_decisions(ledger)
    assert list(ledger.entries()) == []
