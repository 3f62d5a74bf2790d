"""What the ledger says of rollouts: when each began, and how it ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hilum.errors import HilumError
from training.errors import HalfDoneError
from training.promote.site import Site
from training.promote.wanted import Wanted

if TYPE_CHECKING:
    from training.ledger.entry import Entry, Kind

KINDS: tuple["Kind", ...] = ("rollout_began", "rolled_out", "rollout_failed")
"""Entries about rollouts."""


def rollout_facts(site: Site, wanted: Wanted) -> dict[str, Any]:
    """Return what every entry about a rollout says."""
    return {
        "champion": wanted.number("champion"),
        "challenger": wanted.number("challenger"),
        "target": site.target,
        "triton": site.triton.address,
    }


@contextmanager
def recorded(site: Site, wanted: Wanted) -> Iterator[None]:
    """Record that a rollout begins, and that it failed where the block fails.

    A rollout that is killed leaves its beginning alone in the ledger; the next one finishes it. So does one
    that could not put back what it found (a `HalfDoneError`, or an interrupt whose cause is one): a failure
    in the ledger says that the old releases answer, and here either may.
    """
    facts = rollout_facts(site, wanted)
    site.ledger.append("rollout_began", who=site.who, why=site.why, facts=facts)
    try:
        yield
    except BaseException as error:
        if any(isinstance(each, HalfDoneError) for each in (error, error.__cause__)):
            raise
        failure = {**facts, "error": str(error) or type(error).__name__}
        try:
            site.ledger.append("rollout_failed", who=site.who, why=site.why, facts=failure)
        except HilumError as second:
            error.add_note(f"The ledger could not record this: {second}")
        raise


def record_outcome(site: Site, wanted: Wanted, outcome: str) -> None:
    """Record that what is wanted answers, or lies ready to."""
    facts = {**rollout_facts(site, wanted), "outcome": outcome}
    site.ledger.append("rolled_out", who=site.who, why=site.why, facts=facts)


def is_recorded(site: Site, wanted: Wanted, outcome: str) -> bool:
    """Whether the newest entry about this site says that what is wanted serves, or lies ready to."""
    facts = rollout_facts(site, wanted)
    newest: Entry | None = None
    for entry in site.ledger.entries():
        is_here = (entry.facts.get("target"), entry.facts.get("triton")) == (facts["target"], facts["triton"])
        if entry.kind in KINDS and is_here:
            newest = entry
    if newest is None or newest.kind != "rolled_out":
        return False
    was_written = newest.facts.get("outcome") == "written"
    return facts.items() <= newest.facts.items() and (outcome == "written" or not was_written)
