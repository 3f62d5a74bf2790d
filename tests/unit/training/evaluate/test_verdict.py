from dataclasses import replace

import pytest
from scipy.stats import norm
from statsmodels.stats.power import NormalIndPower

from tests.support.paired_predictions import DIFFERENCE
from training.evaluate.differences import Difference
from training.evaluate.verdict import judge


def seen(value: float, standard_error: float, n: int = 400) -> Difference:
    """Return a difference with the interval that a standard error gives."""
    margin = float(norm.ppf(0.975)) * standard_error
    return replace(DIFFERENCE, n=n, value=value, lower=value - margin, upper=value + margin)


def test_a_network_is_preferred_only_where_the_interval_leaves_zero_out() -> None:
    better, worse = judge(seen(0.05, 0.01)), judge(seen(-0.05, 0.01))
    assert (better.preferred, better.more_cases) == ("b", None)
    seen_by_reader = "AUROC of covid19 of B less that of A: +0.050 (+0.030 to +0.070)"
    assert better.sentence == f"Prefer B: the interval leaves 0 out ({seen_by_reader})."
    assert worse.preferred == "a"
    assert worse.sentence.startswith("Prefer A:")


@pytest.mark.parametrize(("value", "standard_error"), [(0.02, 0.015), (-0.01, 0.02), (0.004, 0.012)])
def test_more_cases_follow_the_power_of_a_z_test(value: float, standard_error: float) -> None:
    n = 400
    needed = NormalIndPower().solve_power(
        effect_size=abs(value) / (standard_error * n**0.5), alpha=0.05, power=0.8, ratio=0
    )
    verdict = judge(seen(value, standard_error, n))
    assert verdict.preferred is None
    assert verdict.more_cases is not None
    more = float(needed) - n
    assert more <= verdict.more_cases <= more * 1.11  # rounded up to two digits
    assert f"roughly {verdict.more_cases:,} more cases like these 400" in verdict.sentence


def test_twice_as_many_cases_need_half_as_many_more_times() -> None:
    # An interval narrows with the root of the cases: the same difference then needs the same cases in all.
    once, twice = judge(seen(0.01, 0.02, 400)), judge(seen(0.01, 0.02 / 2**0.5, 800))
    assert once.more_cases is not None
    assert twice.more_cases is not None
    assert once.more_cases + 400 == pytest.approx(twice.more_cases + 800, rel=0.1)


@pytest.mark.parametrize("value", [0.0, 1e-5])
def test_no_practicable_number_of_cases_is_said(value: float) -> None:
    verdict = judge(seen(value, 0.02))
    assert (verdict.preferred, verdict.more_cases) == (None, None)
    assert "more than 100 times as many cases would be needed" in verdict.sentence


def test_what_cannot_be_judged_is_said() -> None:
    macro = replace(DIFFERENCE, metric="macro_auroc", label="", value=None, lower=None, upper=None)
    assert judge(macro).sentence == "Cannot tell: the macro AUROC is not defined, a class has no case."
    rigid = judge(replace(DIFFERENCE, lower=None, upper=None))
    assert rigid.preferred is None
    assert (
        "resampling patients shows no spread (AUROC of covid19 of B less that of A: +0.020)" in rigid.sentence
    )
