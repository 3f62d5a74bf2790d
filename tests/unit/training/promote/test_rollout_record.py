"""How a rollout's end is recorded: as a failure only where what answered before answers again."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.ledgers import sqlite_url
from training.errors import BrokenPromiseError, HalfDoneError, RefusedReleaseError, RolloutError
from training.ledger.ledger import Ledger
from training.ledger.serving import who_served
from training.promote.rollout import _undone_on_failure
from training.promote.rollout_record import (
    record_outcome,
    recorded,
    refuse_broken_promise,
    rollout_facts,
)
from training.promote.site import Site
from training.promote.wanted import Wanted
from training.promote.withdrawal import NOTHING, withdraw
from training.repository.layout import MODEL_FILES


class Triton:
    """Has every model loaded, and unloads none after the first."""

    address = "gpu:8001"

    def __init__(self) -> None:
        self.unloaded: list[str] = []

    def loaded_versions(self) -> dict[str, set[int]]:
        return {model: {1} for model in MODEL_FILES}

    def unload(self, model: str) -> None:
        if self.unloaded:
            raise RolloutError(f"Triton does not unload {model}.")
        self.unloaded.append(model)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site where release 1 answers, by the ledger."""
    triton: Any = Triton()
    registry: Any = None
    with Ledger(sqlite_url(tmp_path)) as ledger:
        made = Site(
            registry=registry,
            ledger=ledger,
            repository=tmp_path / "live",
            triton=triton,
            instances=1,
            who="Ada",
        )
        record_outcome(made, wanted(1), "loaded")
        yield made


def wanted(number: int, digest: str = "") -> Wanted:
    champion: Any = SimpleNamespace(number=number, release=SimpleNamespace(digest=digest or f"of-{number}"))
    return Wanted(by_role={"champion": champion})


def kinds(site: Site) -> list[str]:
    return [entry.kind for entry in site.ledger.entries()]


def certainties(site: Site) -> list[tuple[int, str]]:
    answer = who_served(site.ledger.entries(), None)
    return [(serving.release, serving.certainty) for serving in answer.servings]


def swap_that(undo: Exception | KeyboardInterrupt | None) -> Any:
    """Stand for a swap from release 1 to 2 whose way back ends so."""

    def back() -> None:
        if undo:
            raise undo

    def lineup(number: int) -> SimpleNamespace:
        return SimpleNamespace(champion=SimpleNamespace(number=number), challenger=None)

    return SimpleNamespace(old=lineup(1), new=lineup(2), undo=back)


def test_a_rollout_that_was_undone_failed(site: Site) -> None:
    with (
        pytest.raises(RolloutError, match="Release 1 answers as before"),
        recorded(site, wanted(2)),
        _undone_on_failure(swap_that(None)),
    ):
        raise RolloutError("No memory.")
    assert kinds(site) == ["rolled_out", "rollout_began", "rollout_failed"]
    assert certainties(site) == [(1, "answered")]


def break_promise(site: Site) -> None:
    """Let a rollout of release 2 fail because of its golden cases."""
    with (
        pytest.raises(RolloutError, match="Release 1 answers as before"),
        recorded(site, wanted(2)),
        _undone_on_failure(swap_that(None)),
    ):
        raise BrokenPromiseError(2, "of-2", "golden/0.png: accepted is False, promised was True.")


def test_a_broken_promise_is_remembered_for_the_same_content_alone(site: Site) -> None:
    refuse_broken_promise(site, wanted(2))
    break_promise(site)
    with pytest.raises(RefusedReleaseError, match=r"Release 2 is not tried again: .*accepted is False"):
        refuse_broken_promise(site, wanted(2))
    refuse_broken_promise(site, wanted(1))
    refuse_broken_promise(site, wanted(2, "mended"))
    assert certainties(site) == [(1, "answered")]


def test_another_failure_is_no_broken_promise(site: Site) -> None:
    with pytest.raises(RolloutError), recorded(site, wanted(2)):
        raise RolloutError("No memory.")
    refuse_broken_promise(site, wanted(2))


@pytest.mark.parametrize("kind", ["alias_moved", "adopted", "rollout_began", "rolled_out"])
def test_a_broken_promise_is_forgotten_with_the_next_decision_or_rollout(site: Site, kind: Any) -> None:
    break_promise(site)
    site.ledger.append("judged", who="Ada", facts={"release": 2})
    elsewhere = {**rollout_facts(site, wanted(2)), "triton": "other:8001"}
    site.ledger.append("rollout_began", who="Ada", facts=elsewhere)
    with pytest.raises(RefusedReleaseError):
        refuse_broken_promise(site, wanted(2))
    site.ledger.append(kind, who="Ada", facts=rollout_facts(site, wanted(2)))
    refuse_broken_promise(site, wanted(2))


@pytest.mark.parametrize(
    ("error", "undo", "raised"),
    [
        (RolloutError("No memory."), RolloutError("Nor now."), HalfDoneError),
        (RolloutError("No memory."), OSError("disk full"), HalfDoneError),
        (KeyboardInterrupt(), RolloutError("Nor now."), KeyboardInterrupt),
        (RolloutError("No memory."), KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_a_rollout_whose_way_back_failed_keeps_the_doubt(
    site: Site, error: BaseException, undo: Any, raised: type[BaseException]
) -> None:
    with pytest.raises(raised), recorded(site, wanted(2)), _undone_on_failure(swap_that(undo)):
        raise error
    assert kinds(site) == ["rolled_out", "rollout_began"]
    assert certainties(site) == [(1, "may_have_answered"), (2, "may_have_answered")]
    record_outcome(site, wanted(2), "loaded")
    assert certainties(site) == [(2, "answered")]


def test_a_withdrawal_that_stopped_half_way_keeps_the_doubt(site: Site) -> None:
    with pytest.raises(HalfDoneError, match=r"none was put back: Triton does not unload"):
        withdraw(site)
    assert kinds(site) == ["rolled_out", "rollout_began"]
    assert certainties(site) == [(1, "may_have_answered")]
    record_outcome(site, NOTHING, "removed")
    assert certainties(site) == []
