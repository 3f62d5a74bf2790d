"""Verdicts as a gate leaves them, without running one."""

from datetime import UTC, datetime

from hilum.contract import SCREENING
from training.ledger.ledger import Ledger
from training.promote.gate.gate import record_verdict
from training.promote.release import DIGEST_TAG
from training.promote.verdict import Check, Outcome, Verdict
from training.registry import Registry


def toy_verdict(release: int, digest: str, **changes: object) -> Verdict:
    """Return a verdict that passed, reached where there was no champion; `changes` replace its fields."""
    values: dict[str, object] = {
        "release": release,
        "digest": digest,
        "against": None,
        "policy": "toy",
        "approvals": 0,
        "outcome": "passed",
        "checks": (Check(name="golden cases", outcome="passed", sentence="All are answered as promised."),),
        "judged_at": datetime.now(UTC),
        "judged_by": "Gatekeeper",
        "data": "toys",
        "data_digest": "00" * 32,
        "n_images": 7,
        "code_revision": "unknown",
    }
    return Verdict.model_validate(values | changes)


def judge(
    registry: Registry,
    ledger: Ledger,
    release: int,
    *,
    outcome: Outcome = "passed",
    against: int | None = None,
    approvals: int = 0,
    digest: str | None = None,
) -> str:
    """Store a verdict on a release and record it, as a gate does; return the id of its run."""
    check = Check(name="covid19 sensitivity", outcome=outcome, sentence="Found by the test.")
    verdict = toy_verdict(
        release,
        digest or registry.version(SCREENING, release).tag(DIGEST_TAG),
        outcome=outcome,
        against=against,
        approvals=approvals,
        checks=(check,),
    )
    return record_verdict(registry, ledger, verdict, "<p>toy</p>")
