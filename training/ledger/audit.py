"""Finds what was changed in a ledger or in an export of one, and says at which entry.

The chain by itself shows an altered, removed, repeated or moved entry. It cannot show that its end was cut
off, or that it was rewritten from some entry to the end: for these it is held against heads kept elsewhere.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from training.errors import LedgerError
from training.ledger.entry import GENESIS, Entry, Record, digest_of, read_entry
from training.ledger.head import Head

Problem = Literal[
    "altered",
    "rewritten",
    "missing",
    "repeated",
    "out_of_order",
    "truncated",
    "unreadable",
    "no_head",
    "clock",
]
"""What was found; the last two are warnings."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that is wrong."""

    problem: Problem
    """What it is."""
    entry: int | None
    """The first entry that it concerns; None where it concerns none."""
    sentence: str
    """What was found, and where."""

    @property
    def is_warning(self) -> bool:
        """Whether it may have an innocent cause."""
        return self.problem in ("no_head", "clock")


@dataclass(frozen=True, kw_only=True, slots=True)
class Witness:
    """A head, and who keeps it."""

    head: Head
    """What the newest entry was."""
    source: str
    """Who says so, as the subject of a sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """What an audit found."""

    entries: int
    """How many entries there are."""
    head: Head
    """The last of them."""
    findings: tuple[Finding, ...]
    """What is wrong, in the order of the entries."""

    @property
    def is_sound(self) -> bool:
        """Whether there are no findings but warnings."""
        return all(finding.is_warning for finding in self.findings)


def audit_records(records: Iterable[Record], witnesses: Sequence[Witness] = ()) -> Audit:
    """Check entries as a database or an export has them, in that order, against heads kept elsewhere."""
    found = list(records)
    findings = list(_order(found))
    entries = {record["number"]: record for record in reversed(found) if _number(record)}
    previous: Record | None = None
    for number in sorted(entries):
        findings.extend(_chain(previous, entries[number]))
        previous = entries[number]
    findings.extend(_clock(entries[number] for number in sorted(entries) if _is_intact(entries[number])))
    for witness in witnesses:
        findings.extend(_testified(witness, entries))
    last = previous or {"number": 0, "digest": GENESIS}
    head = Head(last["number"], str(last.get("digest")))
    findings.sort(key=lambda finding: finding.entry or 0)
    return Audit(entries=len(found), head=head, findings=tuple(findings))


def _order(records: Sequence[Record]) -> Iterator[Finding]:
    """Find entries that stand twice, or after one with a higher number, or have no number."""
    seen: set[int] = set()
    highest = 0
    for position, record in enumerate(records, start=1):
        number = _number(record)
        if number is None:
            yield Finding(
                problem="unreadable",
                entry=None,
                sentence=f"What stands at place {position} has no number above 0: it is no entry.",
            )
            continue
        if number in seen:
            yield Finding(
                problem="repeated",
                entry=number,
                sentence=f"Entry {number} stands a second time at place {position}.",
            )
        elif number < highest:
            yield Finding(
                problem="out_of_order",
                entry=number,
                sentence=f"Entry {number} stands at place {position}, after entry {highest}: it was moved.",
            )
        seen.add(number)
        highest = max(highest, number)


def _chain(previous: Record | None, record: Record) -> Iterator[Finding]:
    """Find a gap before an entry, a change of the entry, and a change of the one before that it remembers."""
    number, before = record["number"], previous["number"] if previous else 0
    if number > before + 1:
        missing = (
            f"Entry {number - 1} is" if number == before + 2 else f"Entries {before + 1} to {number - 1} are"
        )
        follows = f"follows entry {before}" if before else "comes first"
        yield Finding(
            problem="missing", entry=before + 1, sentence=f"{missing} missing: entry {number} {follows}."
        )
    digest = _digest(record)
    if digest != record.get("digest"):
        yield Finding(
            problem="altered",
            entry=number,
            sentence=f"Entry {number} was altered: its fields give the digest {digest[:12]}, "
            f"it carries {str(record.get('digest'))[:12]}.",
        )
        return
    if _entry(record) is None:
        yield Finding(
            problem="unreadable",
            entry=number,
            sentence=f"Entry {number} has a right digest, but Hilum does not write such an entry.",
        )
        return
    remembered = record["previous"]
    if number == 1 and remembered != GENESIS:
        yield Finding(
            problem="rewritten",
            entry=1,
            sentence="Entry 1 names an entry before it: the ledger once began with another.",
        )
    # Where the entry before does not fit its own digest, it has been named already.
    if number == before + 1 and previous and _is_intact(previous) and remembered != previous["digest"]:
        yield Finding(
            problem="rewritten",
            entry=before,
            sentence=f"Entry {before} was rewritten together with its digest: entry {number} remembers "
            f"{str(remembered)[:12]}, entry {before} carries {previous['digest'][:12]}. "
            "Those before it may have been rewritten too.",
        )


def _clock(records: Iterable[Record]) -> Iterator[Finding]:
    """Find entries whose time is before that of an earlier entry."""
    latest: Entry | None = None
    for record in records:
        entry = _entry(record)
        if entry is None:
            continue
        if latest and entry.at < latest.at:
            yield Finding(
                problem="clock",
                entry=entry.number,
                sentence=f"Entry {entry.number} ({_time(entry.at)}) is earlier than entry {latest.number} "
                f"({_time(latest.at)}): a clock was off by {(latest.at - entry.at).total_seconds():g} s or "
                "more. The numbers give the order, not the times.",
            )
        else:
            latest = entry


def _testified(witness: Witness, entries: dict[int, Record]) -> Iterator[Finding]:
    """Hold the entries against a head that somebody kept."""
    head, last = witness.head, max(entries, default=0)
    if head.number > last:
        cut = (
            f"Entry {head.number} was"
            if head.number == last + 1
            else f"Entries {last + 1} to {head.number} were"
        )
        yield Finding(
            problem="truncated",
            entry=last + 1,
            sentence=f"{cut} cut off the end: {witness.source} testifies to entry {head.number}, "
            f"the ledger ends with {last or 'none'}.",
        )
    elif head.number in entries and entries[head.number].get("digest") != head.digest:
        yield Finding(
            problem="rewritten",
            entry=head.number,
            sentence=f"Entry {head.number} is not the one that {witness.source} testifies to "
            f"({head.digest[:12]}): some entry up to this one was rewritten, and all after it. "
            "Compare with an earlier export to see which.",
        )


def _digest(record: Record) -> str:
    """Return the digest that a record's fields give; of what JSON cannot carry there is none."""
    try:
        return digest_of(record)
    except ValueError:
        return "none"


def _is_intact(record: Record) -> bool:
    return record.get("digest") == _digest(record)


def _entry(record: Record) -> Entry | None:
    try:
        return read_entry(record)
    except LedgerError:
        return None


def _number(record: Record) -> int | None:
    """Return a record's number; None where it has none, or one that no entry can have."""
    number = record.get("number")
    return number if type(number) is int and number > 0 else None


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
