"""Answers which release served at a time, since when, who decided that, and on what evidence.

The answer comes from the entries of rollouts, place by place: what was told to Triton, not what was meant.
Where the ledger cannot know, it says so: while a rollout runs, either release may have answered.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from training.ledger.entry import Entry

ROLES = ("champion", "challenger")
"""What a release is served as."""

ROLLOUTS = ("rollout_began", "rolled_out", "rollout_failed")
"""Kinds of entries about rollouts."""

Certainty = Literal["answered", "may_have_answered", "written"]
"""Whether it was the only one that could answer, one of several, or lay ready for Triton's next start."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Serving:
    """A release that was served somewhere in some role, and how it came to be."""

    target: str
    """What the rollout wrote: a model repository, its copy elsewhere, or a cluster's object."""
    triton: str
    """Address of the Triton that it was loaded into."""
    role: str
    """`champion` or `challenger`."""
    release: int
    """The release's number."""
    digest: str | None
    """The release's digest; None where its creation is not in the ledger."""
    certainty: Certainty
    """Whether it answered, or may have."""
    rollout: Entry
    """The rollout that brought it: its time is since when, or from when it may have answered."""
    decision: Entry | None
    """The alias's move to it that was in force then; None where the alias named another release, or none."""
    verdict: Entry | None
    """The gate's newest verdict on it before the decision; None where it was never judged."""
    approvals: tuple[Entry, ...]
    """Approvals between that verdict and the decision."""

    @property
    def was_forced(self) -> bool:
        """Whether it was promoted, or deployed without a decision, past the gate."""
        return bool(self._cause.facts.get("forced"))

    @property
    def reason(self) -> str:
        """The reason that was given for it; empty where none was."""
        return self._cause.why

    @property
    def _cause(self) -> Entry:
        """The decision; the rollout itself where no decision stands behind it."""
        return self.decision or self.rollout

    @property
    def record(self) -> Mapping[str, Any]:
        """The same as JSON has it."""
        return {
            "target": self.target,
            "triton": self.triton,
            "role": self.role,
            "release": self.release,
            "digest": self.digest,
            "certainty": self.certainty,
            "since": self.rollout.record["at"],
            "rollout": self.rollout.record,
            "decision": self.decision.record if self.decision else None,
            "verdict": self.verdict.record if self.verdict else None,
            "approvals": [entry.record for entry in self.approvals],
            "forced": self.was_forced,
            "reason": self.reason,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """Who served at a time."""

    servings: tuple[Serving, ...]
    """By target, Triton and role; none where nothing had been rolled out."""
    doubts: tuple[str, ...]
    """What makes the answer less than certain, as sentences."""


def who_served(entries: Iterable[Entry], at: datetime | None, *, target: str | None = None) -> Answer:
    """Return what was served everywhere at a time.

    The numbers give the order. Where a clock ran behind, an entry counts as made at the latest time of those
    before it, and a time in between is answered with a doubt.

    Args:
        entries: the ledger, in order.
        at: the time, with a zone; None for after the newest entry.
        target: the one target, or the one Triton's address, to answer for; None for all.
    """
    past, doubts = _until(_effective(entries), at)
    by_place: dict[tuple[str, str], list[Entry]] = {}
    for entry in past:
        if entry.kind in ROLLOUTS:
            by_place.setdefault(_place(entry), []).append(entry)
    servings: list[Serving] = []
    for place, rollouts in sorted(by_place.items()):
        if target is not None and target not in place:
            continue
        done, running = _settle(rollouts)
        doubts.extend(
            f"The rollout to {' at '.join(filter(None, place))} that began at "
            f"{began.at.isoformat(timespec='seconds')} (entry {began.number}) had not ended: either release "
            "of a role that changed may have answered."
            for began in running
        )
        for role in ROLES:
            servings.extend(_serve(past, done, running, role))
    return Answer(servings=tuple(servings), doubts=tuple(doubts))


def _place(rollout: Entry) -> tuple[str, str]:
    """Return where a rollout went: the target, and the Triton that reads it; several may read one."""
    return str(rollout.facts.get("target", "")), str(rollout.facts.get("triton", ""))


def _effective(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Leave out the decisions that lost a race: those based on another than the newest one before them."""
    basis = 0
    for entry in entries:
        if entry.kind in ("alias_moved", "adopted"):
            if entry.facts.get("basis", basis) != basis:
                continue
            basis = entry.number
        yield entry


def _until(entries: Iterable[Entry], at: datetime | None) -> tuple[list[Entry], list[str]]:
    """Return the entries that had been made at a time, and what is doubtful about that."""
    past: list[Entry] = []
    latest: datetime | None = None
    doubts = []
    for entry in entries:
        latest = entry.at if latest is None else max(latest, entry.at)
        if at is None or latest <= at:
            past.append(entry)
        elif entry.at <= at:
            doubts.append(
                f"A clock ran behind: entry {entry.number} says {entry.at.isoformat(timespec='seconds')} "
                f"but follows {latest.isoformat(timespec='seconds')}. It is left out, and may belong here."
            )
    return past, doubts


def _settle(rollouts: Iterable[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Return one place's completed rollouts, and the beginnings of those that may have changed it since.

    A failed rollout puts back what it found; one that was cut short leaves a doubt until the next completes.
    """
    done: list[Entry] = []
    running: list[Entry] = []
    for entry in rollouts:
        if entry.kind == "rollout_began":
            running.append(entry)
        elif entry.kind == "rolled_out":
            done.append(entry)
            running.clear()
        else:
            del running[-1:]
    return done, running


def _serve(
    past: Sequence[Entry], done: Sequence[Entry], running: Sequence[Entry], role: str
) -> Iterator[Serving]:
    """Yield what one place served in one role: at most one release, or more while a rollout runs."""
    brought = _first_of_same(done, role)
    is_stable = brought is not None and all(began.facts.get(role) == brought.facts[role] for began in running)
    if brought:
        certainty: Certainty = "answered" if is_stable else "may_have_answered"
        if _is_written(done[-1]):
            certainty = "written"
        yield _serving(past, brought, role, certainty)
    told = {brought.facts[role]} if brought else set()
    for began in running:
        release = began.facts.get(role)
        if release is not None and release not in told:
            told.add(release)
            yield _serving(past, began, role, "may_have_answered")


def _first_of_same(done: Sequence[Entry], role: str) -> Entry | None:
    """Return the rollout that brought what the newest one left there; those in between confirmed it."""
    first: Entry | None = None
    for entry in reversed(done):
        if entry.facts.get(role) is None:
            break
        if first and (entry.facts[role] != first.facts[role] or _is_written(entry) != _is_written(first)):
            break
        first = entry
    return first


def _is_written(rollout: Entry) -> bool:
    """Whether Triton did not run, so that the release answers only from its next start."""
    return rollout.facts.get("outcome") == "written"


def _serving(past: Sequence[Entry], rollout: Entry, role: str, certainty: Certainty) -> Serving:
    """Join a rollout with the decision, the verdict and the approvals before it."""
    release = rollout.facts[role]
    of_release = [e for e in past if e.number < rollout.number and e.facts.get("release") == release]
    decision = _decision(past, rollout, role)
    end = decision.number if decision else rollout.number
    verdict = _newest(e for e in of_release if e.kind == "judged" and e.number < end)
    since = verdict.number if verdict else 0
    created = _newest(e for e in of_release if e.kind == "released")
    target, triton = _place(rollout)
    return Serving(
        target=target,
        triton=triton,
        role=role,
        release=release,
        digest=_text(created, "digest"),
        certainty=certainty,
        rollout=rollout,
        decision=decision,
        verdict=verdict,
        approvals=tuple(e for e in of_release if e.kind == "approved" and since < e.number < end),
    )


def _decision(past: Sequence[Entry], rollout: Entry, role: str) -> Entry | None:
    """Return the decision that a rollout carried out: in force at its end, or else at its beginning.

    A release that is rolled out without its alias, by force say, has none: an older decision for it that
    another has replaced since explains nothing.
    """
    place = _place(rollout)
    before = _newest(
        e for e in past if e.number < rollout.number and e.kind in ROLLOUTS and _place(e) == place
    )
    is_beginning = before is not None and before.kind == "rollout_began" and rollout.kind == "rolled_out"
    for moment in (rollout, before) if before and is_beginning else (rollout,):
        decision = _newest(
            e
            for e in past
            if e.number < moment.number
            and e.kind in ("alias_moved", "adopted")
            and e.facts.get("alias") == role
        )
        if decision and decision.facts.get("release") == rollout.facts[role]:
            return decision
    return None


def _newest(entries: Iterable[Entry]) -> Entry | None:
    return max(entries, key=lambda entry: entry.number, default=None)


def _text(entry: Entry | None, fact: str) -> str | None:
    value: Any = entry.facts.get(fact) if entry else None
    return None if value is None else str(value)
