"""One entry of the ledger and the digest that chains it to the one before.

The digest is SHA-256 over canonical JSON (keys sorted, no spaces, ASCII, no NaN) of the fields `number`,
`at`, `kind`, `who`, `why`, `facts` and `previous`, so any program can check an exported ledger.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from hilum.files import sha256_bytes
from training.errors import LedgerError

Kind = Literal[
    "registered",
    "released",
    "judged",
    "approved",
    "alias_moved",
    "rollout_began",
    "rolled_out",
    "rollout_failed",
    "adopted",
]
"""What an entry records."""

KINDS: tuple[Kind, ...] = get_args(Kind)
"""Every kind, in the order of the flow."""

GENESIS = "0" * 64
"""What the first entry names as the digest before it."""

Record = Mapping[str, Any]
"""An entry as JSON has it: the digested fields and `digest`, by name. It may have been tampered with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One thing that happened, who did it, and why."""

    number: int
    """Place in the ledger, from 1, without gaps; this, not the time, gives the order."""
    at: datetime
    """When it was appended, in UTC, by the clock of the machine that did."""
    kind: Kind
    """What happened."""
    who: str
    """Who did it."""
    why: str
    """The reason that was given; empty where none was."""
    facts: Mapping[str, Any]
    """What it is about; JSON values only, the keys depend on the kind."""
    previous: str
    """Digest of the entry before; zeros for the first."""
    digest: str
    """SHA-256 over all of the above, as 64 hexadecimal digits."""

    @property
    def record(self) -> Record:
        """The entry as JSON has it."""
        return {
            "number": self.number,
            "at": self.at.isoformat(timespec="microseconds"),
            "kind": self.kind,
            "who": self.who,
            "why": self.why,
            "facts": self.facts,
            "previous": self.previous,
            "digest": self.digest,
        }


def canonical_json(value: Any) -> str:
    """Return the one text that stands for `value`.

    Raises:
        ValueError: a number is NaN or infinite, which JSON cannot carry.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of(record: Record) -> str:
    """Return the digest that a record must have: SHA-256 over all its fields but `digest`."""
    fields = {name: value for name, value in record.items() if name != "digest"}
    return sha256_bytes(canonical_json(fields).encode())


def make_entry(
    *, number: int, at: datetime, kind: Kind, who: str, why: str, facts: Record, previous: str
) -> Entry:
    """Return the entry that follows the one whose digest is `previous`, its facts as JSON gives them back.

    Args:
        number: its place.
        at: with a zone.
        kind: what happened.
        who: who did it.
        why: the reason.
        facts: what it is about; values that JSON can carry.
        previous: digest of the entry before.

    Raises:
        TypeError: a fact is no JSON value.
        ValueError: a fact is NaN or infinite.
    """
    record = {
        "number": number,
        "at": at.astimezone(UTC).isoformat(timespec="microseconds"),
        "kind": kind,
        "who": _storable(who),
        "why": _storable(why),
        "facts": json.loads(canonical_json(dict(facts))),
        "previous": previous,
    }
    return read_entry({**record, "digest": digest_of(record)})


def read_entry(record: Record) -> Entry:
    """Return the entry that a record holds, without checking its digest.

    Raises:
        LedgerError: it holds none: somebody wrote into the ledger.
    """
    try:
        at = datetime.fromisoformat(record["at"])
        if record["kind"] in KINDS and isinstance(record["facts"], dict) and at.tzinfo is not None:
            return Entry(**{**record, "at": at})
    except (KeyError, TypeError, ValueError):
        pass
    raise LedgerError(
        f"Entry {record.get('number', '?')} of the ledger cannot be read: somebody wrote into it. "
        "`hilum ledger verify` says where else."
    )


def _storable(text: str) -> str:
    """Replace what a database's text cannot hold: lone surrogates (undecodable arguments) and NUL."""
    return text.encode(errors="replace").decode().replace("\0", "?")
