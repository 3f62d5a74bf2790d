"""What counts as evidence, by a registry and a ledger whose contents the tests choose."""

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import create_autospec

import pytest

from hilum.contract import SCREENING
from hilum.settings import Settings
from tests.support.ledgers import sqlite_url
from tests.support.verdicts import toy_verdict
from training.ledger.ledger import Ledger
from training.promote import evidence
from training.promote.evidence import weigh
from training.promote.gate.policy import load_policy
from training.promote.release import DIGEST_TAG
from training.promote.verdict import VERDICT_RUN_TAG, VERDICT_SHA256_TAG, Outcome, Verdict
from training.registry import RegisteredVersion, Registry

DIGEST = "ab" * 32


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(sqlite_url(tmp_path)) as ledger:
        yield ledger


def record(ledger: Ledger, verdict: Verdict, run_id: str) -> None:
    """Record a judgement as the gate does."""
    facts = {
        "digest": verdict.digest,
        "outcome": verdict.outcome,
        "run_id": run_id,
        "verdict_sha256": verdict.sha256,
    }
    ledger.append("judged", who="Ada", facts=facts)


def refusal(ledger: Ledger, verdict: Verdict, run_id: str, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """Return what speaks against release 2, which is tagged with this verdict."""
    tags = {DIGEST_TAG: DIGEST, VERDICT_RUN_TAG: run_id, VERDICT_SHA256_TAG: verdict.sha256}
    registry = create_autospec(Registry, instance=True)
    registry.version.return_value = RegisteredVersion(
        name=SCREENING, number=2, run_id="", created_ms=0, tags=tags
    )
    stored = Verdict.model_validate_json(verdict.to_json())
    monkeypatch.setattr(evidence, "fetch_verdict", lambda *_: stored)
    return weigh(registry, ledger, 2, champion=None, who="Grace").refusal


@pytest.mark.parametrize("later", ["failed", "cannot_tell", "passed"])
def test_tags_that_were_set_back_to_an_older_verdict_do_not_hide_the_last_one(
    ledger: Ledger, later: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = toy_verdict(2, DIGEST)
    record(ledger, passed, "first")
    assert refusal(ledger, passed, "first", monkeypatch) is None
    record(ledger, toy_verdict(3, "cd" * 32, outcome="failed"), "of another release")
    assert refusal(ledger, passed, "first", monkeypatch) is None
    record(ledger, toy_verdict(2, DIGEST, outcome=later), "second")
    assert refusal(ledger, passed, "first", monkeypatch) == (
        "The verdict that release 2 is tagged with is not the last one: by the ledger's entry 3, Ada judged "
        f"it since ({later}). Judge it again: hilum release gate 2 --data DIR"
    )


def test_a_verdict_counts_under_the_policy_that_is_set_alone(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = load_policy("default").model_copy(update={"name": "a copy of it"})
    strict, loose = (
        toy_verdict(2, DIGEST, policy=policy.name, policy_settings=policy.model_dump(mode="json"))
        for policy in (wanted, load_policy("demo"))
    )
    found = {}
    for set_policy in ("", "default", "nowhere"):
        monkeypatch.setattr(evidence, "settings", lambda name=set_policy: Settings(gate_policy=name))
        for verdict in (strict, loose):
            record(ledger, verdict, verdict.policy)
            found[set_policy, verdict.policy] = refusal(ledger, verdict, verdict.policy, monkeypatch)
    unreadable = found["nowhere", "demo"]
    assert unreadable is not None
    assert unreadable.startswith("HILUM_GATE_POLICY cannot be read: No policy 'nowhere'.")
    assert found["", "demo"] is found["", "a copy of it"] is found["default", "a copy of it"] is None
    assert found["default", "demo"] == (
        "The verdict on release 2 was reached under the policy demo, whose demands are not those of "
        "HILUM_GATE_POLICY (default). Judge it again: hilum release gate 2 --data DIR --policy default"
    )
