from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.power import normal_sample_size_one_tail

from training.promote.gate.bounds import Bounded
from training.promote.gate.shares import bounded_share

BOUNDED = Bounded(value=0.0, lower=-0.06, upper=0.06, n=71, variance_per_case=0.1, method="none")


@pytest.mark.parametrize(
    ("lower", "upper", "outcome"),
    [
        (-0.04, 0.04, "passed"),
        (-0.05, 0.04, "passed"),
        (-0.06, 0.04, "cannot_tell"),
        (-0.06, -0.05, "cannot_tell"),
        (-0.2, -0.06, "failed"),
    ],
)
def test_each_side_of_the_demand_is_its_own_answer(lower: float, upper: float, outcome: str) -> None:
    assert replace(BOUNDED, lower=lower, upper=upper).judge(-0.05) == outcome


def test_further_cases_equal_a_hand_worked_number() -> None:
    # (1.6449 + 0.8416)^2 * 0.1 / 0.05^2 = 247.3 cases, 71 of them at hand: 176.3, to two digits upwards.
    assert BOUNDED.further_cases(-0.05, confidence=0.95) == 180


def test_further_cases_equal_an_independent_sample_size() -> None:
    for value, variance in ((0.02, 0.3), (-0.02, 0.08), (-0.1, 0.2)):
        bounded = replace(BOUNDED, value=value, variance_per_case=variance, n=10)
        total = normal_sample_size_one_tail(abs(value + 0.05), 0.8, 0.05, variance**0.5)
        found = bounded.further_cases(-0.05, confidence=0.95)
        assert found == pytest.approx(total - 10, rel=0.1)
        assert found is not None
        assert found >= total - 10


def test_that_many_further_cases_settle_it_four_times_in_five() -> None:
    true, floor, n = 0.9, 0.85, 71
    right = np.arange(n) < round(true * n)
    seen = bounded_share(right, np.arange(n), confidence=0.95)
    assert seen.judge(floor) == "cannot_tell"
    more = seen.further_cases(floor, confidence=0.95)
    assert more is not None
    random = np.random.default_rng(0)
    draws = random.random((300, n + more)) < seen.value
    patients = np.arange(n + more)
    told = [bounded_share(row, patients, confidence=0.95).judge(floor) == "passed" for row in draws]
    assert 0.72 < np.mean(told) < 0.92


def test_at_the_limit_itself_no_number_is_given() -> None:
    assert replace(BOUNDED, value=-0.05).further_cases(-0.05, confidence=0.95) is None
    assert replace(BOUNDED, value=-0.0501).further_cases(-0.05, confidence=0.95) is None


def test_what_is_nearly_settled_still_needs_a_tenth_more() -> None:
    assert replace(BOUNDED, value=0.3).further_cases(-0.05, confidence=0.95) == 8
