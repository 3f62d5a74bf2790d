from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from tests.support.paired_predictions import DIFFERENCE
from training.promote.gate.differences import bounded_auroc_difference, bounded_share_difference

SHARES = replace(DIFFERENCE, metric="sensitivity", test="mcnemar", n=71, n_patients=71)
Z = float(norm.ppf(0.95))


def excess(d: float, n: float, only_a: float, only_b: float) -> float:
    """Return Tango's score statistic of a difference d, by maximising the likelihood on a grid."""
    q = np.linspace(max(0.0, -d), (1 - d) / 2, 200_001)[1:-1]  # share that only A decides rightly
    likelihood = only_a * np.log(q) + only_b * np.log(q + d) + (n - only_a - only_b) * np.log(1 - 2 * q - d)
    best = q[likelihood.argmax()]
    return float((only_b - only_a - n * d) / np.sqrt(n * (2 * best + d - d * d)))


def test_the_bounds_of_shares_are_where_the_score_reaches_the_quantile() -> None:
    bounded = bounded_share_difference(replace(SHARES, only_a=6, only_b=3), effect=1, confidence=0.95)
    assert bounded.value == pytest.approx(-3 / 71)
    assert excess(bounded.lower, 71, 6, 3) == pytest.approx(Z, abs=1e-3)
    assert excess(bounded.upper, 71, 6, 3) == pytest.approx(-Z, abs=1e-3)
    assert bounded.method == "tango"


def test_without_a_discordant_image_the_bound_is_the_known_one() -> None:
    bounded = bounded_share_difference(replace(SHARES, only_a=0, only_b=0), effect=1, confidence=0.95)
    assert bounded.lower == pytest.approx(-(Z**2) / (71 + Z**2))
    assert bounded.variance_per_case == pytest.approx(1 / 73)


def test_a_design_effect_takes_images_away() -> None:
    doubled = replace(SHARES, n=142, only_a=12, only_b=6)
    once = bounded_share_difference(replace(SHARES, only_a=6, only_b=3), effect=1, confidence=0.95)
    halved = bounded_share_difference(doubled, effect=2, confidence=0.95)
    assert (halved.lower, halved.upper) == pytest.approx((once.lower, once.upper))
    assert halved.variance_per_case == pytest.approx(2 * (19 / 144 - (6 / 144) ** 2))


def test_of_aurocs_delongs_bounds_are_taken_where_each_patient_has_one_image() -> None:
    alone = replace(DIFFERENCE, n_patients=40, lower=-0.5, upper=0.5, test_lower=-0.02, test_upper=0.06)
    bounded = bounded_auroc_difference(alone, n_rarer=10, confidence=0.95)
    assert (bounded.lower, bounded.upper, bounded.method) == (-0.02, 0.06, "delong")
    assert bounded.variance_per_case == pytest.approx(40 * (0.04 / Z) ** 2)


def test_of_aurocs_the_wider_bounds_are_taken_where_patients_have_several() -> None:
    bounded = bounded_auroc_difference(
        replace(DIFFERENCE, test_lower=-0.02, test_upper=0.06), n_rarer=10, confidence=0.95
    )
    assert (bounded.lower, bounded.upper) == (-0.02, 0.06)
    wider = bounded_auroc_difference(
        replace(DIFFERENCE, lower=-0.03, test_lower=-0.02, test_upper=0.06), n_rarer=10, confidence=0.95
    )
    assert (wider.lower, wider.upper) == (-0.03, 0.06)
    assert wider.method == "delong and patient bootstrap, the wider"


def test_rankings_that_agree_rule_out_what_their_number_rules_out() -> None:
    agreed = replace(
        DIFFERENCE, value=0.0, lower=None, upper=None, test_lower=None, test_upper=None, n_patients=40
    )
    bounded = bounded_auroc_difference(agreed, n_rarer=10, confidence=0.95)
    assert bounded.lower == pytest.approx(-(Z**2) / (10 + Z**2))
    assert bounded.method == "no spread"
    assert bounded_auroc_difference(agreed, n_rarer=100, confidence=0.95).lower > bounded.lower


def test_a_first_discordant_image_does_not_make_the_bounds_better() -> None:
    several = replace(SHARES, n=200, n_patients=40)
    lowers, uppers = [], []
    for lost in range(6):  # the design effect of none is that of copies, of one it is 1
        effect = 5.0 if lost == 0 else 1.0
        worse = bounded_share_difference(
            replace(several, only_a=lost, only_b=0), effect=effect, confidence=0.95
        )
        better = bounded_share_difference(
            replace(several, only_a=0, only_b=lost), effect=effect, confidence=0.95
        )
        lowers.append(worse.lower)
        uppers.append(better.upper)
    assert lowers[0] == pytest.approx(-(Z**2) / (40 + Z**2))
    assert np.all(np.diff(lowers) < 0)
    assert np.allclose(uppers, np.negative(lowers))


def test_a_release_that_lost_half_of_all_cases_surely_lost_some() -> None:
    lost = replace(SHARES, n=200, n_patients=40, only_a=100, only_b=0)
    assert bounded_share_difference(lost, effect=1, confidence=0.95).upper < -0.4
