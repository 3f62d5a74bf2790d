"""Which aliases the ledger says the registry should have.

The ledger decides, the registry follows. One entry, `alias_moved` or `adopted`, decides all aliases at once:
a new champion makes the old one `previous` and is challenger no longer. So a promotion is either decided as
a whole or not at all, although MLflow moves one alias at a time.

Each decision names the one that it was based on, and is refused where another came since. Of two that a
ledger holds on the same basis, as older versions of Hilum could leave them, the first takes effect.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from training.ledger.entry import Entry, Kind
from training.ledger.ledger import Ledger
from training.registry import CHALLENGER, CHAMPION, PREVIOUS

Alias = Literal["champion", "challenger", "previous"]

ALIASES: tuple[Alias, ...] = ("previous", "champion", "challenger")
"""The aliases that the ledger decides, in the order in which the registry's are moved.

`previous` first: a crash in between leaves the way back. `challenger` last: a challenger that becomes
champion is never without a role, so that nothing unloads it in between.
"""


DECISIONS: tuple[Kind, ...] = ("alias_moved", "adopted")
"""Kinds of entries that decide."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """What the decisions in a ledger amount to."""

    aliases: Mapping[str, int] = field(default_factory=dict)
    """Release by alias."""
    since: Mapping[str, datetime] = field(default_factory=dict)
    """When each alias got the release that it names."""
    champions: frozenset[int] = frozenset()
    """Every release that was champion at some time."""
    digests: Mapping[int, str] = field(default_factory=dict)
    """Digest of each decision that took effect, by its number in the ledger."""
    began: datetime | None = None
    """When the ledger's first entry was made; None while it is empty."""
    newest: Mapping[Kind, int] = field(default_factory=dict)
    """Number of the newest entry of each kind of decision, whether it took effect or not."""
    basis: int = 0
    """Number of the newest decision that took effect; 0 where nothing was decided yet."""
    who: str = ""
    """Who took that one."""


def read_decisions(ledger: Ledger) -> Decided:
    """Return what the ledger decides."""
    decided = Decided()
    for _, then in follow(ledger.entries()):
        decided = then
    return decided


def follow(entries: Iterable[Entry]) -> Iterator[tuple[Entry, Decided]]:
    """Yield each entry of a ledger, from its first, with what is decided once it has been made."""
    decided = Decided()
    for entry in entries:
        if decided.began is None:
            decided = replace(decided, began=entry.at)
        if entry.kind in DECISIONS:
            decided = replace(decided, newest={**decided.newest, entry.kind: entry.number})
            if entry.facts.get("basis", decided.basis) == decided.basis:
                decided = _after(decided, entry)
        yield entry, decided


def decide(
    ledger: Ledger,
    seen: Decided,
    kind: Kind,
    alias: Alias,
    release: int | None,
    *,
    before: int | None,
    who: str,
    why: str,
    evidence: Mapping[str, Any],
) -> Entry:
    """Record a decision, provided that none came since `seen`.

    Args:
        ledger: takes it.
        seen: what it is based on.
        kind: `alias_moved` or `adopted`.
        alias: the alias that it is about.
        release: the release that the alias is to name; None for none.
        before: what the alias named before.
        who: who decides.
        why: the reason that was given.
        evidence: what else the entry says, by name.

    Raises:
        ConcurrentChangeError: another decision came first; nothing was recorded.
    """
    facts = {"alias": alias, "release": release, "before": before, "basis": seen.basis, **evidence}
    expect = {each: seen.newest.get(each, 0) for each in DECISIONS}
    return ledger.append(kind, who=who, why=why, facts=facts, expect=expect)


def _after(decided: Decided, entry: Entry) -> Decided:
    """Return the state once `entry` has taken effect."""
    alias, release, before = entry.facts["alias"], entry.facts["release"], entry.facts["before"]
    aliases: dict[str, int | None] = dict(decided.aliases)
    champions = set(decided.champions)
    if alias == CHAMPION and release != aliases.get(CHAMPION):
        aliases |= {CHAMPION: release, PREVIOUS: aliases.get(PREVIOUS) if before is None else before}
        champions |= {release, before}
    elif alias != CHAMPION:
        aliases[alias] = release
    for role in (PREVIOUS, CHALLENGER):
        if aliases.get(role) == aliases.get(CHAMPION):
            aliases[role] = None
    named = {name: number for name, number in aliases.items() if number is not None}
    return replace(
        decided,
        aliases=named,
        since={
            name: decided.since[name] if decided.aliases.get(name) == number else entry.at
            for name, number in named.items()
        },
        champions=frozenset(champions - {None}),
        digests={**decided.digests, entry.number: entry.digest},
        basis=entry.number,
        who=entry.who,
    )
