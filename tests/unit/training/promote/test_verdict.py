from datetime import UTC, datetime

import pytest

from training.promote.verdict import Check, CheckOutcome, Verdict, combine


def check(outcome: CheckOutcome, name: str = "latency") -> Check:
    return Check(name=name, outcome=outcome, sentence="A sentence.")


def verdict(*checks: Check, allow: bool = False, against: int | None = 1) -> Verdict:
    return Verdict(
        release=2,
        digest="ab" * 32,
        against=against,
        policy="default",
        approvals=0,
        outcome=combine(checks, allow_cannot_tell=allow),
        checks=checks,
        judged_at=datetime(2026, 1, 2, tzinfo=UTC),
        judged_by="ada",
        data="cxr",
        data_digest="cd" * 32,
        n_images=300,
        code_revision="abc",
    )


@pytest.mark.parametrize(
    ("outcomes", "allow", "expected"),
    [
        (["passed", "skipped"], False, "passed"),
        (["passed", "cannot_tell"], False, "cannot_tell"),
        (["passed", "cannot_tell"], True, "passed"),
        (["cannot_tell", "failed"], True, "failed"),
        (["cannot_tell", "failed"], False, "failed"),
    ],
)
def test_every_check_must_hold(outcomes: list[CheckOutcome], allow: bool, expected: str) -> None:  # noqa: FBT001
    assert combine([check(outcome) for outcome in outcomes], allow_cannot_tell=allow) == expected


def test_the_sentence_names_what_kept_the_release_back() -> None:
    failed = verdict(check("failed", "golden cases"), check("cannot_tell", "latency"))
    assert failed.sentence == "The gate failed release 2 against release 1: golden cases."
    unsure = verdict(check("cannot_tell"), against=None)
    assert unsure.sentence == "The gate cannot tell whether release 2 is good enough: latency."
    assert verdict(check("passed")).sentence == (
        "The gate passed release 2 against release 1 under the policy default."
    )
    assert verdict(check("cannot_tell"), allow=True).sentence.endswith(
        "which lets pass what it could not tell: latency."
    )


def test_a_verdict_reads_back_as_it_was_written() -> None:
    written = verdict(check("passed"))
    assert Verdict.model_validate_json(written.to_json()) == written
    assert written.sha256 != verdict(check("failed")).sha256
