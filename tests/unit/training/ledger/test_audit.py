"""Whatever is changed in a chain is found, at the entry where it was changed."""

import copy
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.ledgers import chain
from training.ledger.audit import Audit, Witness, audit_records
from training.ledger.entry import GENESIS, Entry, digest_of
from training.ledger.head import Head

CHAIN = chain(*[("approved", {"release": number}) for number in range(1, 7)])


def records() -> list[dict[str, Any]]:
    return [copy.deepcopy(dict(entry.record)) for entry in CHAIN]


def rewrite(record: dict[str, Any], **fields: Any) -> None:
    """Change an entry and give it a digest that fits, as somebody who knows the code does."""
    record.update(fields)
    record["digest"] = digest_of(record)


def found(audit: Audit) -> list[tuple[str, int | None]]:
    return [(finding.problem, finding.entry) for finding in audit.findings]


def kept(entry: Entry) -> Witness:
    return Witness(head=Head(entry.number, entry.digest), source="the auditor")


def test_an_untouched_chain_is_sound() -> None:
    for length in range(7):
        audit = audit_records(records()[:length], [kept(entry) for entry in CHAIN[:length]])
        assert audit.findings == ()
        assert audit.is_sound
        assert audit.head == (Head(length, CHAIN[length - 1].digest) if length else Head(0, GENESIS))


@given(
    index=st.integers(0, 5),
    name=st.sampled_from(["at", "kind", "who", "why", "facts", "previous", "digest"]),
    value=st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.lists(st.integers())
    | st.just(float("nan")),
)
def test_any_altered_field_is_found_in_its_entry(index: int, name: str, value: Any) -> None:
    changed = records()
    changed[index][name] = value
    assert found(audit_records(changed)) == [("altered", index + 1)]


def test_removed_entries_are_named() -> None:
    (one,) = audit_records(records()[:2] + records()[3:]).findings
    assert (one.problem, one.entry) == ("missing", 3)
    assert one.sentence == "Entry 3 is missing: entry 4 follows entry 2."
    (several,) = audit_records(records()[:1] + records()[4:]).findings
    assert several.sentence == "Entries 2 to 4 are missing: entry 5 follows entry 1."
    (first,) = audit_records(records()[2:]).findings
    assert first.sentence == "Entries 1 to 2 are missing: entry 3 comes first."


def test_moved_and_repeated_entries_are_named() -> None:
    lines = records()
    moved = audit_records([lines[0], lines[2], lines[1], *lines[3:]])
    assert found(moved) == [("out_of_order", 2)]
    assert "Entry 2 stands at place 3, after entry 3" in moved.findings[0].sentence
    repeated = audit_records([*lines, lines[3]])
    assert found(repeated) == [("repeated", 4)]
    assert repeated.entries == 7


def test_exchanged_numbers_are_found() -> None:
    lines = records()
    lines[1]["number"], lines[2]["number"] = 3, 2
    assert ("altered", 2) in found(audit_records(lines))
    assert ("altered", 3) in found(audit_records(lines))


def test_an_entry_rewritten_with_its_digest_is_remembered_by_the_next() -> None:
    lines = records()
    rewrite(lines[2], who="Eve")
    audit = audit_records(lines)
    assert found(audit) == [("rewritten", 3)]
    assert "entry 4 remembers" in audit.findings[0].sentence


def test_a_chain_rewritten_to_its_end_needs_a_testimony() -> None:
    lines = records()
    rewrite(lines[3], who="Eve")
    for before, after in pairwise(lines[3:]):
        rewrite(after, previous=before["digest"])
    assert audit_records(lines, [kept(CHAIN[2])]).findings == ()
    audit = audit_records(lines, [kept(CHAIN[4])])
    assert found(audit) == [("rewritten", 5)]
    assert "the auditor testifies to" in audit.findings[0].sentence


def test_a_cut_end_needs_a_testimony() -> None:
    assert audit_records(records()[:4]).findings == ()
    (finding,) = audit_records(records()[:4], [kept(CHAIN[5])]).findings
    assert (finding.problem, finding.entry) == ("truncated", 5)
    assert finding.sentence == (
        "Entries 5 to 6 were cut off the end: the auditor testifies to entry 6, the ledger ends with 4."
    )
    (all_gone,) = audit_records([], [kept(CHAIN[0])]).findings
    assert all_gone.sentence.startswith("Entry 1 was cut off the end")
    assert all_gone.sentence.endswith("ends with none.")


def test_a_beginning_that_was_cut_off_and_renumbered_is_found() -> None:
    lines = records()[:1]
    rewrite(lines[0], previous="ab" * 32)
    assert found(audit_records(lines)) == [("rewritten", 1)]


def test_what_is_no_entry_is_named() -> None:
    lines = records()
    rewrite(lines[5], kind="guessed")
    assert found(audit_records(lines)) == [("unreadable", 6)]
    crafted: dict[str, Any] = {"number": 7}
    rewrite(crafted)
    assert found(audit_records([*records(), crafted])) == [("unreadable", 7)]
    for nonsense in ({}, {"number": "7"}, {"number": 0}, {"number": True}):
        audit = audit_records([*records(), nonsense])
        assert found(audit) == [("unreadable", None)]
        assert "place 7" in audit.findings[0].sentence


def test_a_clock_that_ran_backwards_is_a_warning() -> None:
    events = [("approved", {"release": number}) for number in range(4)]
    audit = audit_records([entry.record for entry in chain(*events, minutes=[0, 10, 7, 11])])  # type: ignore[arg-type]
    assert found(audit) == [("clock", 3)]
    assert audit.is_sound
    assert "a clock was off by 180 s or more" in audit.findings[0].sentence
