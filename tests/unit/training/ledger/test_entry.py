"""An entry's digest is what the documentation says, and nothing of an entry can change without it."""

import hashlib
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.ledgers import START, chain
from training.errors import LedgerError
from training.ledger.entry import GENESIS, canonical_json, digest_of, make_entry, read_entry

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def test_the_digest_is_that_of_the_documented_text() -> None:
    (entry,) = chain(("approved", {"release": 3, "digest": "é"}))
    text = (
        '{"at":"2026-03-01T12:00:00.000000+00:00","facts":{"digest":"\\u00e9","release":3},"kind":"approved",'
        '"number":1,"previous":"' + "0" * 64 + '","who":"Ada","why":"reason 1"}'
    )
    assert entry.digest == hashlib.sha256(text.encode("ascii")).hexdigest()


def test_a_time_in_another_zone_is_the_same_time() -> None:
    here = START.astimezone(timezone(timedelta(hours=5, minutes=30)))
    made = [
        make_entry(number=1, at=at, kind="approved", who="Ada", why="", facts={}, previous=GENESIS)
        for at in (START, here)
    ]
    assert made[0] == made[1]
    assert made[0].record["at"] == "2026-03-01T12:00:00.000000+00:00"


@hypothesis.settings(max_examples=30)
@given(facts=st.dictionaries(st.text(), VALUES), who=st.text(min_size=1), why=st.text())
def test_an_entry_comes_back_from_json_as_it_was_made(facts: dict[str, Any], who: str, why: str) -> None:
    entry = make_entry(number=1, at=START, kind="judged", who=who, why=why, facts=facts, previous=GENESIS)
    record = json.loads(canonical_json(entry.record))
    assert read_entry(record) == entry
    assert digest_of(record) == entry.digest


@given(name=st.sampled_from(["number", "at", "kind", "who", "why", "facts", "previous"]), value=VALUES)
def test_no_field_changes_without_the_digest(name: str, value: Any) -> None:
    (entry,) = chain(("approved", {"release": 3}))
    changed = {**entry.record, name: value}
    same = canonical_json(entry.record[name]) == canonical_json(value)
    assert (digest_of(changed) == entry.digest) == same


def test_facts_are_kept_as_json_gives_them_back() -> None:
    (entry,) = chain(("judged", {"pair": (1, 2), "by_release": {3: 0.1}}))
    assert entry.facts == {"pair": [1, 2], "by_release": {"3": 0.1}}


def test_what_no_database_holds_is_replaced() -> None:
    entry = make_entry(
        number=1, at=START, kind="judged", who="A\0", why="\udce9t\xe9", facts={}, previous=GENESIS
    )
    assert (entry.who, entry.why) == ("A?", "?t\xe9")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_json_cannot_carry_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        chain(("judged", {"value": value}))


@pytest.mark.parametrize(
    "changed",
    [
        {"at": "yesterday"},
        {"at": 5},
        {"at": datetime(2026, 3, 1).isoformat()},
        {"kind": "guessed"},
        {"facts": "none"},
        {"more": 1},
    ],
)
def test_a_record_that_is_no_entry_is_named(changed: dict[str, Any]) -> None:
    (entry,) = chain(("approved", {}))
    with pytest.raises(LedgerError, match=r"Entry 1 of the ledger cannot be read.*`hilum ledger verify`"):
        read_entry({**entry.record, **changed})
