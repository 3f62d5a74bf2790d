"""What the ledger says of rollouts: when each began, how it ended, and which release broke its promise."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hilum.errors import HilumError
from training.errors import BrokenPromiseError, HalfDoneError, RefusedReleaseError
from training.promote.site import Site
from training.promote.wanted import Wanted

if TYPE_CHECKING:
    from training.ledger.entry import Entry, Kind

KINDS: tuple["Kind", ...] = ("rollout_began", "rolled_out", "rollout_failed")
"""Entries about rollouts."""

BROKE_PROMISE = "broke_promise"
"""Fact of a failed rollout: the release, and its digest, that did not answer its golden cases as promised."""


def rollout_facts(site: Site, wanted: Wanted) -> dict[str, Any]:
    """Return what every entry about a rollout says."""
    facts = {
        "champion": wanted.number("champion"),
        "challenger": wanted.number("challenger"),
        "target": site.target,
        "triton": site.triton.address,
    }
    return facts if site.overrode is None else {**facts, "forced": True, "overrode": site.overrode}


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
        failure = {**facts, "error": str(error) or type(error).__name__, **_broken_promise(error)}
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
    newest, _ = _newest(site)
    if newest is None or newest.kind != "rolled_out":
        return False
    was_written = newest.facts.get("outcome") == "written"
    same = rollout_facts(site, wanted).items() <= newest.facts.items()
    return same and (outcome == "written" or not was_written)


def refuse_broken_promise(site: Site, wanted: Wanted) -> None:
    """Refuse a release that broke its promise here in the last rollout.

    That counts until an alias moves, another rollout is made here, or the release's content changes.

    Raises:
        RefusedReleaseError: one of the wanted releases did.
    """
    newest, is_decided_anew = _newest(site)
    if newest is None or newest.kind != "rollout_failed" or is_decided_anew:
        return
    broken = newest.facts.get(BROKE_PROMISE) or {}
    for stored in wanted.by_role.values():
        if stored.release.digest == broken.get("digest"):
            raise RefusedReleaseError(
                f"Release {stored.number} is not tried again: {newest.facts['error']} (Entry {newest.number} "
                "of the ledger.) Go back with `hilum rollback`, promote another release, or try this one "
                "again with `hilum rollout apply`."
            )


def _newest(site: Site) -> "tuple[Entry | None, bool]":
    """Return the newest entry about rollouts at this site, and whether an alias was decided upon since."""
    newest: Entry | None = None
    is_decided_anew = False
    for entry in site.ledger.entries():
        here = (entry.facts.get("target"), entry.facts.get("triton")) == (site.target, site.triton.address)
        if entry.kind in KINDS and here:
            newest, is_decided_anew = entry, False
        elif entry.kind in ("alias_moved", "adopted"):
            is_decided_anew = True
    return newest, is_decided_anew


def _broken_promise(error: BaseException) -> dict[str, Any]:
    """Return what the ledger keeps of a broken promise behind a failure; nothing where none is."""
    for each in (error, error.__cause__):
        if isinstance(each, BrokenPromiseError):
            return {BROKE_PROMISE: {"release": each.release, "digest": each.digest}}
    return {}
