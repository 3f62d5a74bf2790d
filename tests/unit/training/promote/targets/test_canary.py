"""A canary answers live requests only where a promotion would have been allowed."""

from typing import Any

import pytest

from training.errors import PromotionError
from training.promote.evidence import Evidence
from training.promote.targets import canary
from training.promote.targets.canary import check_canary
from training.promote.targets.traffic_steps import Goal


def check(monkeypatch: pytest.MonkeyPatch, refusal: str | None, challenger: int | None, percent: int) -> None:
    """Check a goal with champion 7 on evidence that is given."""

    def weigh(_registry: object, _ledger: object, number: int, *, champion: int, who: str) -> Evidence:
        assert (number, champion, who) == (9, 7, "ada")
        return Evidence(run_id=None, approvers=(), refusal=refusal)

    monkeypatch.setattr(canary, "weigh", weigh)
    nothing: Any = None
    goal = Goal(champion=7, challenger=challenger, percent=percent, storage="s3://models/releases")
    check_canary(nothing, nothing, goal, who="ada")


@pytest.mark.parametrize("percent", [1, 100])
def test_a_challenger_that_could_not_be_promoted_gets_no_traffic(
    monkeypatch: pytest.MonkeyPatch, percent: int
) -> None:
    with pytest.raises(
        PromotionError, match=r"Release 9 gets no traffic.*No gate has judged it\..*--canary-percent 0"
    ):
        check(monkeypatch, "No gate has judged it.", 9, percent)


@pytest.mark.parametrize(
    ("refusal", "challenger", "percent"),
    [
        (None, 9, 100),
        ("No gate has judged it.", 9, 0),
        ("No gate has judged it.", None, 10),
    ],
)
def test_what_passed_or_gets_no_traffic_may_run(
    monkeypatch: pytest.MonkeyPatch, refusal: str | None, challenger: int | None, percent: int
) -> None:
    check(monkeypatch, refusal, challenger, percent)
