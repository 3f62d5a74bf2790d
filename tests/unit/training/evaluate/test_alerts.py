import numpy as np
import pytest
from scipy.stats import beta

from hilum.errors import UsageError
from training.errors import DataSetError
from training.evaluate.alerts import alert_load
from training.evaluate.thresholds import ThresholdRow, threshold_table


def row(tp: int, positives: int, fp: int, negatives: int) -> ThresholdRow:
    positive = np.r_[np.ones(positives, dtype=bool), np.zeros(negatives, dtype=bool)]
    scores = np.r_[np.arange(positives) < tp, np.arange(negatives) < fp].astype(float)
    return threshold_table(scores, positive, [0.5])[0]


def test_alerts_by_hand() -> None:
    # 98 % and 90 % at a prevalence of 2 %: of 1,000, 20 are of the class; 19.6 + 98 alerts.
    load = alert_load(row(98, 100, 300, 3000), 0.02)
    assert load.alerts == pytest.approx(117.6)
    assert load.false_alerts == pytest.approx(98)
    assert load.missed == pytest.approx(0.4)
    # Wilson's bounds of 98 in 100 are 0.9300 and 0.9945.
    assert (load.missed_lower, load.missed_upper) == pytest.approx((0.11, 1.40), abs=0.005)
    assert load.ppv == pytest.approx(19.6 / 117.6)


def test_the_interval_is_about_that_of_the_posterior() -> None:
    # An independent way: draws of both rates from their Jeffreys posteriors.
    random = np.random.default_rng(0)
    sensitivity = beta.rvs(0.5 + 45, 0.5 + 5, size=200_000, random_state=random)
    false_rate = beta.rvs(0.5 + 30, 0.5 + 170, size=200_000, random_state=random)
    lower, upper = np.percentile(1000 * (0.3 * sensitivity + 0.7 * false_rate), [2.5, 97.5])
    load = alert_load(row(45, 50, 30, 200), 0.3)
    assert (load.alerts_lower, load.alerts_upper) == pytest.approx((lower, upper), rel=0.03)
    assert load.alerts_lower < load.alerts < load.alerts_upper


def test_no_alert_has_no_predictive_value() -> None:
    load = alert_load(row(0, 10, 0, 10), 0.1)
    assert (load.alerts, load.ppv, load.missed) == (0, None, 100)
    assert load.alerts_lower == 0
    assert load.alerts_upper > 0


@pytest.mark.parametrize("prevalence", [0.0, 1.0, -0.1, float("nan")])
def test_a_prevalence_that_is_no_share_is_refused(prevalence: float) -> None:
    with pytest.raises(UsageError, match=r"prevalence must lie in \(0, 1\)"):
        alert_load(row(9, 10, 1, 10), prevalence)


def test_a_rate_that_was_not_measured_is_refused() -> None:
    with pytest.raises(DataSetError, match=r"sensitivity at threshold 0\.5 is not defined"):
        alert_load(row(0, 0, 1, 10), 0.1)
    with pytest.raises(DataSetError, match="specificity at threshold"):
        alert_load(row(5, 10, 0, 0), 0.1)
