"""Every kind of entry has plain words, whatever its facts are."""

from collections.abc import Mapping
from typing import Any, get_args

import pytest

from tests.support.ledgers import chain
from training.ledger.entry import Kind
from training.ledger.sentences import describe, printable

SHA = "0123456789abcdef" * 4
MOVE = {"alias": "champion", "release": 4, "before": 3, "forced": False}
ROLLOUT = {"champion": 4, "challenger": None, "target": "live", "triton": "gpu:8001"}


@pytest.mark.parametrize(
    ("kind", "facts", "sentence"),
    [
        (
            "registered",
            {"model": "xray_filter", "version": 2, "sha256": SHA, "run_id": "r"},
            "xray_filter version 2 registered, SHA-256 0123456789ab",
        ),
        (
            "released",
            {"release": 4, "digest": SHA, "filter": 2, "classifier": 7},
            "release 4 made of filter 2 and classifier 7, digest 0123456789ab",
        ),
        (
            "judged",
            {"release": 4, "outcome": "cannot_tell", "against": 3, "policy": "clinic"},
            "gate on release 4: cannot tell, against release 3, policy clinic",
        ),
        (
            "judged",
            {"release": 1, "outcome": "passed", "against": None, "policy": "clinic"},
            "gate on release 1: passed, without a champion, policy clinic",
        ),
        ("approved", {"release": 4, "digest": SHA}, "release 4 approved, digest 0123456789ab"),
        ("alias_moved", MOVE, "champion is now release 4, before release 3"),
        (
            "alias_moved",
            MOVE | {"before": None, "forced": True},
            "champion is now release 4 (forced past the gate)",
        ),
        ("alias_moved", MOVE | {"release": None}, "champion removed, before release 3"),
        ("adopted", MOVE, "champion is now release 4, before release 3, moved by hand in MLflow"),
        ("rollout_began", ROLLOUT, "rollout of champion 4 to live (Triton at gpu:8001) began"),
        (
            "rolled_out",
            ROLLOUT | {"challenger": 5, "outcome": "loaded"},
            "rollout of champion 4, challenger 5 to live (Triton at gpu:8001) done: loaded",
        ),
        (
            "rollout_failed",
            ROLLOUT | {"triton": "", "error": "no memory"},
            "rollout of champion 4 to live failed: no memory",
        ),
    ],
)
def test_an_entry_in_plain_words(kind: Kind, facts: Mapping[str, Any], sentence: str) -> None:
    (entry,) = chain((kind, facts))
    assert describe(entry) == sentence


@pytest.mark.parametrize("kind", get_args(Kind))
def test_missing_facts_are_no_failure(kind: Kind) -> None:
    (entry,) = chain((kind, {}))
    assert "?" in describe(entry)


def test_nothing_steers_the_terminal() -> None:
    (entry,) = chain(("alias_moved", MOVE | {"alias": "a\x1b[2Jb\nc"}))
    assert describe(entry).startswith("a\N{REPLACEMENT CHARACTER}[2Jb\N{REPLACEMENT CHARACTER}c")
    assert printable("[red]é") == "[red]é"
