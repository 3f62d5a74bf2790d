"""Keeps the registry's aliases what the ledger decided, and notices where somebody moved one by hand.

A decision is recorded first, then the aliases are moved, then a tag on the registered model names the
decision. So a tag that names an older decision means that a move was cut short: whoever comes next completes
it. Aliases that differ although the tag names the newest decision were moved by hand, in MLflow's page.

MLflow cannot compare and swap. Whoever moves aliases therefore looks into the ledger again afterwards and
goes on until they follow the newest decision: a slow process may put them back for a moment, not for good.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hilum.contract import SCREENING
from training.errors import ConcurrentChangeError, LedgerError
from training.ledger.entry import Entry, Kind
from training.ledger.ledger import Ledger
from training.promote.decisions import ALIASES, Alias, Decided, decide, read_decisions
from training.registry import CHAMPION, PREVIOUS, Registry

DECISION_TAG = "hilum.decision"
"""The decision that the aliases follow, as `NUMBER:DIGEST` of its entry in the ledger."""

Cause = Literal["unfinished", "by_hand", "unrecorded"]
"""`unfinished`: a move was cut short; `by_hand`: somebody moved it in MLflow; `unrecorded`: the ledger has no
decision yet, and the release is older than it."""

Action = Literal["completed", "adopted", "put_back"]

HandMoved = Literal["adopt", "refuse"]
"""What to do with an alias that was moved by hand: record it as decided, or move it back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """An alias that is not what the ledger decided."""

    alias: Alias
    """Its name."""
    decided: int | None
    """The release that it should name; None for none."""
    found: int | None
    """The release that it names in MLflow; None where it does not exist."""
    cause: Cause
    """How that came."""

    @property
    def sentence(self) -> str:
        """What is the matter."""
        found = f"The alias {self.alias} in MLflow {_names(self.found)}"
        if self.cause == "unrecorded":
            return f"{found}, from before this ledger began."
        how = "was moved by hand" if self.cause == "by_hand" else "is being moved, or its move was cut short"
        return f"{found}, decided was that it {_names(self.decided)}: it {how}."


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciled:
    """What was done about a drift."""

    drift: Drift
    """What had been found."""
    action: Action
    """`completed`: the cut-short move was ended; `adopted`: recorded as decided; `put_back`: moved back."""

    @property
    def sentence(self) -> str:
        """What was found, and what was done."""
        done = {
            "completed": "The move was completed.",
            "adopted": "It was recorded as it is.",
            "put_back": "It was put back; `hilum promote` moves it through the gate.",
        }
        return f"{self.drift.sentence} {done[self.action]}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Registry and ledger side by side."""

    decided: Decided
    """What the ledger decides."""
    aliases: Mapping[str, int]
    """What the registry's aliases should be; those of the registry itself while nothing is decided."""
    drifts: tuple[Drift, ...]
    """Where it differs."""
    is_unfinished: bool
    """Whether the registry does not follow the newest decision yet."""
    is_foreign: bool
    """Whether the registry follows a decision that this ledger does not hold."""


def look(registry: Registry, ledger: Ledger) -> Standing:
    """Return how registry and ledger stand to each other; changes nothing.

    The registry is read first: whatever Hilum moved there is in the ledger by the time that is read.
    """
    state = registry.model_state(SCREENING)
    decided = read_decisions(ledger)
    followed = state.tags.get(DECISION_TAG)
    is_foreign = followed is not None and followed not in map(_mark, decided.digests.items())
    is_unfinished = not is_foreign and followed != _newest_mark(decided)
    created_s = {version.number: version.created_ms / 1000 for version in registry.versions(SCREENING)}
    expected = {alias: number for alias, number in decided.aliases.items() if number in created_s}
    drifts = []
    for alias in ALIASES:
        found = state.aliases.get(alias)
        if found != expected.get(alias):
            cause: Cause = "unfinished" if is_unfinished else "by_hand"
            if decided.basis == 0 and found is not None and _is_older(created_s[found], decided):
                cause = "unrecorded"
            drifts.append(Drift(alias=alias, decided=expected.get(alias), found=found, cause=cause))
    return Standing(
        decided=decided,
        aliases=expected if decided.basis else {a: n for a, n in state.aliases.items() if a in ALIASES},
        drifts=tuple(drifts),
        is_unfinished=is_unfinished,
        is_foreign=is_foreign,
    )


def check_same_ledger(standing: Standing, ledger: Ledger) -> None:
    """Raise where the registry follows the decisions of another ledger than this one.

    Raises:
        LedgerError: it does; nothing was changed.
    """
    if standing.is_foreign:
        raise LedgerError(
            f"The aliases in MLflow follow a decision that the ledger at {ledger.where} does not hold: they "
            "were moved with another ledger, or this one lost entries. Set HILUM_LEDGER_URL as for the "
            "promotion before, or look with `hilum ledger verify`. If this ledger is to go on from what "
            "MLflow says: HILUM_HAND_MOVED_ALIASES=adopt hilum rollout apply."
        )


def settle(registry: Registry, ledger: Ledger) -> Decided:
    """Let the registry's aliases follow the newest decision, and return it.

    A release that somebody deleted from the registry gets no alias.
    """
    while True:
        decided = read_decisions(ledger)
        mark = _newest_mark(decided)
        if mark is None:
            return decided
        wanted, found = _existing(registry, decided), registry.aliases(SCREENING)
        for alias in ALIASES:
            number = wanted.get(alias)
            if number is None and alias in found:
                registry.delete_alias(SCREENING, alias)
            elif number is not None and number != found.get(alias):
                registry.set_alias(SCREENING, alias, number)
        registry.set_model_tag(SCREENING, DECISION_TAG, mark)
        if read_decisions(ledger).basis == decided.basis:
            return decided


def reconcile_aliases(
    registry: Registry, ledger: Ledger, *, policy: HandMoved, who: str
) -> tuple[Reconciled, ...]:
    """Make registry and ledger agree, and return what was done; nothing where they do.

    A move that was cut short is completed. What was there before the ledger began is recorded as it is.

    Args:
        registry: holds the aliases.
        ledger: holds the decisions.
        policy: `adopt` records an alias that was moved by hand; `refuse` moves it back and records that.
        who: acts.

    Raises:
        LedgerError: the registry follows another ledger, and the policy is `refuse`; nothing was changed.
    """
    while True:
        try:
            return _reconcile(registry, ledger, policy=policy, who=who)
        except ConcurrentChangeError:  # somebody else did it, or decided anew: look again
            continue


def _reconcile(registry: Registry, ledger: Ledger, *, policy: HandMoved, who: str) -> tuple[Reconciled, ...]:
    standing = look(registry, ledger)
    if policy == "refuse":
        check_same_ledger(standing, ledger)
    if not standing.drifts and not standing.is_unfinished and not standing.is_foreign:
        return ()
    done = tuple(Reconciled(drift=drift, action=_action(drift, policy)) for drift in standing.drifts)
    seen = standing.decided
    for each in _to_record(done):
        entry = _record(ledger, seen, each, standing.drifts, who)
        seen = read_decisions(ledger)
        if seen.basis != entry.number:
            raise ConcurrentChangeError(entry.kind, entry.number, seen.basis, seen.who)
    settle(registry, ledger)
    return done


def _action(drift: Drift, policy: HandMoved) -> Action:
    """Return what is to be done about a drift."""
    if drift.cause == "unfinished":
        return "completed"
    return "adopted" if policy == "adopt" or drift.cause == "unrecorded" else "put_back"


def _record(ledger: Ledger, seen: Decided, done: Reconciled, drifts: tuple[Drift, ...], who: str) -> Entry:
    """Record that an alias moved by hand is adopted, or put back."""
    drift = done.drift
    kind: Kind = "adopted" if done.action == "adopted" else "alias_moved"
    # Put back is what was decided, also where that release was deleted: a decision anew would be another.
    release, before = seen.aliases.get(drift.alias), drift.found
    if kind == "adopted":
        release, before = drift.found, drift.decided
        if drift.alias == CHAMPION and before is None:  # the ledger begins: so does its `previous`
            before = next((each.found for each in drifts if each.alias == PREVIOUS), None)
    return decide(
        ledger, seen, kind, drift.alias, release,
        before=before, who=who, why=drift.sentence, evidence={"forced": False},
    )  # fmt: skip


def _to_record(done: tuple[Reconciled, ...]) -> list[Reconciled]:
    """Return those that take a decision of their own: a champion's decides `previous` too."""
    by_alias = {each.drift.alias: each for each in done if each.action != "completed"}
    order: tuple[Alias, ...] = ("champion", "challenger")
    if CHAMPION not in by_alias:
        order = ("previous", "challenger")
    return [by_alias[alias] for alias in order if alias in by_alias]


def _existing(registry: Registry, decided: Decided) -> dict[str, int]:
    """Return the decided aliases but for releases that the registry has no longer."""
    numbers = {version.number for version in registry.versions(SCREENING)}
    return {alias: number for alias, number in decided.aliases.items() if number in numbers}


def _is_older(created_s: float, decided: Decided) -> bool:
    """Whether a release was created before the ledger began, by the clocks of the registry and the writer."""
    return decided.began is None or created_s < decided.began.timestamp()


def _mark(decision: tuple[int, str]) -> str:
    """Return what the registry's tag says of a decision, given its number and digest."""
    number, digest = decision
    return f"{number}:{digest}"


def _newest_mark(decided: Decided) -> str | None:
    return _mark((decided.basis, decided.digests[decided.basis])) if decided.basis else None


def _names(release: int | None) -> str:
    return "does not exist" if release is None else f"names release {release}"
