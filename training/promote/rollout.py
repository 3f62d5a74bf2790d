"""Brings the releases that the registry names into the live model repository and into Triton.

What is fetched is checked before the live repository is touched: digests against the releases,
configurations against the networks. What is loaded is checked before the front doors move: the new
networks answer the golden cases while the old releases go on answering everybody else. Then they are
asked again through the front doors. Each rollout is recorded in the ledger from its beginning.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from hilum.contract import SCREENING
from hilum.errors import HilumError
from training.errors import BrokenPromiseError, HalfDoneError, RolloutError, UnknownVersionError
from training.promote.lock import repository_lock
from training.promote.plan import Plan, differences_of, plan
from training.promote.release import DIGEST_TAG
from training.promote.rollout_record import is_recorded, record_outcome, recorded, refuse_broken_promise
from training.promote.serving import find_serving
from training.promote.site import Mirror, Site
from training.promote.staging import fetch_networks, stage, staging_folder
from training.promote.swap import Swap
from training.promote.triton_control import TritonControl
from training.promote.verification import (
    RoleVerification,
    Verification,
    check_answers,
    check_loaded,
    verify,
)
from training.promote.wanted import Wanted, fetch_wanted, find_role
from training.repository.served_release import Lineup

if TYPE_CHECKING:
    from training.promote.promotion import Role
    from training.registry import Registry

__all__ = [
    "Mirror",
    "Outcome",
    "Plan",
    "RoleVerification",
    "RolloutResult",
    "Site",
    "Verification",
    "apply",
    "plan",
    "verify",
]

Outcome = Literal["loaded", "verified", "written"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutResult:
    """What a rollout did."""

    release: int
    """The champion."""
    previous: int | None
    """The champion that answered before; None where none did."""
    challenger: int | None = None
    """The challenger; None where there is none."""
    previous_challenger: int | None = None
    """The challenger that answered before; None where none did."""
    outcome: Outcome
    """`loaded`: answers now; `verified`: answered already; `written`: answers from Triton's next start."""
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)
    """How long each step took, in the order of the steps."""


def apply(
    site: Site, releases: "Mapping[Role, int | None] | None" = None, *, again: bool = True
) -> RolloutResult:
    """Let Triton serve what the aliases say; where it does not run, let it do so from its next start.

    Args:
        site: where.
        releases: what is to serve instead of what the aliases say, by role: a role that is left out keeps
            what its alias says, None stands for no release.
        again: whether to try a release that broke its promise here in the last rollout.

    Raises:
        RefusedReleaseError: one did, and is not to be tried again.
        UnknownVersionError: no release is champion, or there is no such release.
        IntegrityError: something fetched is not what was pinned; nothing was touched.
        RepositoryError: Triton could not serve these releases; nothing was touched.
        HalfDoneError: a step failed, and so did the way back: either may answer.
        BrokenPromiseError: what answers already no longer does so as promised.
        RolloutError: a step failed and the old releases answer; or another rollout took too long.
        LedgerError: the ledger cannot be written.
    """
    clock = _Clock()
    with repository_lock(site.repository):
        wanted = fetch_wanted(site.registry, releases)
        if not again:
            refuse_broken_promise(site, wanted)
        running = site.triton if site.triton.is_live() else None
        old = find_serving(site.repository, running)
        clock.lap("look")
        if not differences_of(site, wanted, believe="etags"):
            _check_again(site, running, wanted)
            clock.lap("verify")
            outcome: Outcome = "verified" if running else "written"
            if not is_recorded(site, wanted, outcome):
                record_outcome(site, wanted, outcome)
        else:
            outcome = _roll_out(site, wanted, running, old, clock)
    return RolloutResult(
        release=wanted.lineup.champion.number,
        previous=old.champion.number if old else None,
        challenger=wanted.number("challenger"),
        previous_challenger=challenger.number if (challenger := find_role(old, "challenger")) else None,
        outcome=outcome,
        seconds=clock.laps,
    )


class _Clock:
    """Takes the time of each step."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        """End a step."""
        now = time.perf_counter()
        self.laps[step] = now - self._last
        self._last = now


def _roll_out(
    site: Site, wanted: Wanted, running: TritonControl | None, old: Lineup | None, clock: _Clock
) -> Outcome:
    """Stage, load beside the old, ask the golden cases, switch, ask them again, and drop the old."""
    with staging_folder(site.repository) as folder:
        with recorded(site, wanted):
            networks = fetch_networks(site.registry, site.repository, wanted, folder)
            clock.lap("fetch")
            draft = stage(folder, wanted, networks, instances=site.instances)
            clock.lap("stage")
            swap = Swap(
                source=draft,
                folder=site.repository,
                triton=running,
                old=old,
                new=wanted.lineup,
                instances=site.instances,
                may_repair=old is not None and _are_releases_of(site.registry, old),
                mirror=site.mirror,
            )
            with _undone_on_failure(swap):
                swap.prepare()
                clock.lap("load")
                _check_loaded(running, wanted)
                clock.lap("ask")
                swap.switch()
                clock.lap("swap")
                _check_answers(running, wanted)
                clock.lap("verify")
        outcome: Outcome = "written" if running is None else "loaded" if swap.changed else "verified"
        record_outcome(site, wanted, outcome)
        _drop_old(swap)
        clock.lap("drop")
    return outcome


def _check_loaded(running: TritonControl | None, wanted: Wanted) -> None:
    if running:
        for stored in wanted.by_role.values():
            check_loaded(running, stored)


def _check_again(site: Site, running: TritonControl | None, wanted: Wanted) -> None:
    """Ask what answers already; a promise that is broken now is recorded as a rollout that failed."""
    try:
        _check_answers(running, wanted)
    except BrokenPromiseError:
        with recorded(site, wanted):
            raise


def _check_answers(running: TritonControl | None, wanted: Wanted) -> None:
    if running:
        for role, stored in wanted.by_role.items():
            check_answers(running, role, stored)


def _are_releases_of(registry: "Registry", lineup: Lineup) -> bool:
    """Whether all releases of a lineup come from this registry, by their digests."""
    try:
        return all(
            registry.version(SCREENING, release.number).tag(DIGEST_TAG) == release.digest
            for release in lineup.releases
        )
    except UnknownVersionError:
        return False


@contextmanager
def _undone_on_failure(swap: Swap) -> Iterator[None]:
    """Let the old releases answer again whatever ends the block early, an interrupt included."""
    try:
        yield
    except BaseException as error:
        failure = f"{_names(swap.new)} was not rolled out: {error}"
        try:
            swap.undo()
        except BaseException as second:
            half_done = HalfDoneError(
                f"{failure} The way back failed too: {second} `hilum rollout verify` says what answers; "
                "run `hilum rollout apply` again once the cause is mended."
            )
            for each in (second, error):
                if not isinstance(each, HilumError | OSError):
                    raise each from half_done
            raise half_done from error
        answers = (
            f"Release {swap.old.champion.number} answers as before." if swap.old else "Nothing is served."
        )
        if isinstance(error, HilumError | OSError):
            raise RolloutError(f"{failure} {answers}") from error
        raise


def _drop_old(swap: Swap) -> None:
    try:
        swap.drop_old()
    except (HilumError, OSError) as error:
        raise RolloutError(
            f"{_names(swap.new)} answers, but what it replaced could not be removed: {error} "
            "Run `hilum rollout apply` again once the cause is mended."
        ) from error


def _names(lineup: Lineup) -> str:
    challenger = f" (challenger {lineup.challenger.number})" if lineup.challenger else ""
    return f"Release {lineup.champion.number}{challenger}"
