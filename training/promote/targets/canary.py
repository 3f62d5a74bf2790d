"""Whether a challenger may answer requests as a canary: traffic needs what a promotion to champion needs.

A challenger of one Triton has a front door of its own, which nobody is sent to. A canary of KServe's answers
live requests in the champion's place.
"""

from training.errors import PromotionError
from training.ledger.ledger import Ledger
from training.promote.evidence import weigh
from training.promote.targets.traffic_steps import Goal
from training.registry import Registry


def check_canary(registry: Registry, ledger: Ledger, goal: Goal, *, who: str) -> None:
    """Return if the challenger may get its share of the traffic; without a share it may run in any case.

    Args:
        registry: holds the verdict.
        ledger: holds the judgements and approvals.
        goal: who is to answer.
        who: rolls out.

    Raises:
        PromotionError: the gate, or the approvals, do not allow it.
    """
    if goal.challenger is None or goal.percent == 0:
        return
    refusal = weigh(registry, ledger, goal.challenger, champion=goal.champion, who=who).refusal
    if refusal:
        raise PromotionError(
            f"Release {goal.challenger} gets no traffic, and the service was not changed. {refusal} "
            "(--canary-percent 0 runs it without traffic.)"
        )
