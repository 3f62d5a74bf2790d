import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from training.errors import DataSetError
from training.evaluate.delong import DelongAuroc, delong_test
from training.evaluate.metrics import Booleans, Floats
from training.evaluate.paired_test import UNTESTED


def by_pairs(scores: Floats, positive: Booleans) -> tuple[Floats, Floats]:
    """Return the placements of positive and negative images by visiting every pair: DeLong's own formula."""
    above, below = scores[positive][:, None], scores[~positive][None, :]
    wins = (above > below) + 0.5 * (above == below)
    return wins.mean(axis=1), wins.mean(axis=0)


def covariance_by_pairs(a: Floats, b: Floats, positive: Booleans) -> float:
    (a_1, a_0), (b_1, b_0) = by_pairs(a, positive), by_pairs(b, positive)
    return float(np.cov(a_1, b_1)[0, 1] / len(a_1) + np.cov(a_0, b_0)[0, 1] / len(a_0))


def two_scores(*, n: int = 80, seed: int = 0, shift: float = 1.0) -> tuple[Floats, Floats, Booleans]:
    """Scores of two networks that share part of their noise, with ties."""
    random = np.random.default_rng(seed)
    positive = random.random(n) < 0.4
    shared = random.normal(size=n) + shift * positive
    a, b = (np.round(shared + random.normal(size=n) * spread, 1) for spread in (0.5, 1.0))
    return a, b, positive


@pytest.mark.parametrize("seed", range(5))
def test_it_equals_the_sum_over_all_pairs(seed: int) -> None:
    a, b, positive = two_scores(seed=seed)
    of_a, of_b = DelongAuroc.of(a, positive), DelongAuroc.of(b, positive)
    assert of_a.value == pytest.approx(roc_auc_score(positive, a), abs=1e-12)
    assert of_a.variance == pytest.approx(covariance_by_pairs(a, a, positive), rel=1e-10)
    assert of_a.covariance(of_b) == pytest.approx(covariance_by_pairs(a, b, positive), rel=1e-10)


def test_hand_worked() -> None:
    # A: positive 0.9, 0.6, 0.4 and negative 0.5, 0.3. Shares of the negatives below: 1, 1, 1/2; of the
    # positives above: 2/3, 1. AUROC 5/6, variance (1/12) / 3 + (1/18) / 2 = 1/18.
    # B: positive 0.2, 0.6, 0.9 and negative 0.3, 0.1: 1/2, 1, 1 and 2/3, 1. The same AUROC and variance;
    # covariance (-1/24) / 3 + (1/18) / 2 = 1/72, so the difference of 0 has the variance 2/18 - 2/72 = 1/12.
    positive = np.array([True, False, True, False, True])
    a = DelongAuroc.of(np.array([0.9, 0.5, 0.6, 0.3, 0.4]), positive)
    b = DelongAuroc.of(np.array([0.2, 0.3, 0.6, 0.1, 0.9]), positive)
    assert (a.value, b.value) == pytest.approx((5 / 6, 5 / 6))
    assert (a.variance, b.variance) == pytest.approx((1 / 18, 1 / 18))
    assert a.covariance(b) == pytest.approx(1 / 72)
    test = delong_test(a, b)
    assert test.p_value == pytest.approx(1)
    assert test.upper == pytest.approx(norm.ppf(0.975) / 12**0.5)


def test_the_test_is_the_z_test_of_the_difference() -> None:
    a, b, positive = two_scores(seed=3)
    variance = (
        covariance_by_pairs(a, a, positive)
        + covariance_by_pairs(b, b, positive)
        - 2 * covariance_by_pairs(a, b, positive)
    )
    difference = roc_auc_score(positive, b) - roc_auc_score(positive, a)
    test = delong_test(DelongAuroc.of(a, positive), DelongAuroc.of(b, positive))
    assert test.p_value == pytest.approx(2 * norm.cdf(-abs(difference) / variance**0.5))
    assert (test.lower, test.upper) == pytest.approx(norm.interval(0.95, difference, variance**0.5))


def test_it_finds_a_difference_as_often_as_its_level_says() -> None:
    random = np.random.default_rng(5)
    p_values = []
    for _ in range(400):
        positive = random.random(60) < 0.5
        a, b = random.normal(size=(2, 60)) + positive
        test = delong_test(DelongAuroc.of(a, positive), DelongAuroc.of(b, positive))
        p_values.append(test.p_value)
    assert 0.02 < np.mean(np.array(p_values) < 0.05) < 0.09


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.booleans()), min_size=4, max_size=25))
def test_ties_and_order_change_nothing(rows: list[tuple[int, int, bool]]) -> None:
    a, b, positive = (np.array(column) for column in zip(*rows, strict=True))
    a, b = a.astype(np.float64), b.astype(np.float64)
    if min(positive.sum(), (~positive).sum()) < 2:
        with pytest.raises(DataSetError, match="2 or more images of the class and of the rest"):
            DelongAuroc.of(a, positive)
        return
    of_a, of_b = DelongAuroc.of(a, positive), DelongAuroc.of(b, positive)
    assert of_a.covariance(of_b) == pytest.approx(covariance_by_pairs(a, b, positive), abs=1e-12)
    backwards = DelongAuroc.of(a[::-1], positive[::-1])
    assert (backwards.value, backwards.variance) == pytest.approx((of_a.value, of_a.variance))
    mirrored = DelongAuroc.of(-a, positive)
    assert (mirrored.value, mirrored.variance) == pytest.approx((1 - of_a.value, of_a.variance), abs=1e-12)


def test_the_mean_of_classes_has_the_variance_that_resampling_images_shows() -> None:
    random = np.random.default_rng(2)
    truth = random.integers(0, 3, 600)
    scores = random.normal(size=(600, 3)) + np.eye(3)[truth]
    mean = DelongAuroc.mean([DelongAuroc.of(scores[:, k], truth == k) for k in range(3)])
    assert mean.value == pytest.approx(np.mean([roc_auc_score(truth == k, scores[:, k]) for k in range(3)]))
    drawn = [random.integers(0, 600, 600) for _ in range(400)]
    resampled = [np.mean([roc_auc_score(truth[i] == k, scores[i, k]) for k in range(3)]) for i in drawn]
    assert mean.variance**0.5 == pytest.approx(np.std(resampled), rel=0.12)


def test_the_mean_of_one_class_is_that_class() -> None:
    a, _, positive = two_scores()
    one = DelongAuroc.of(a, positive)
    mean = DelongAuroc.mean([one])
    assert mean.value == one.value
    assert (mean.components == one.components).all()


def test_rankings_without_spread_are_not_judged() -> None:
    a, _, positive = two_scores()
    same = DelongAuroc.of(a, positive), DelongAuroc.of(2 * a + 1, positive)
    assert delong_test(*same) == UNTESTED
    perfect, reverse = positive.astype(np.float64), (~positive).astype(np.float64)
    assert delong_test(DelongAuroc.of(perfect, positive), DelongAuroc.of(reverse, positive)) == UNTESTED


def test_an_interval_stays_within_what_a_difference_can_be() -> None:
    positive = np.array([True, True, False, False])
    a, b = np.array([1.0, 4.0, 2.0, 3.0]), np.array([3.0, 4.0, 2.0, 1.0])
    test = delong_test(DelongAuroc.of(a, positive), DelongAuroc.of(b, positive))
    assert test.upper == 1


def test_the_interval_is_as_wide_as_the_confidence_says() -> None:
    random = np.random.default_rng(0)
    positive = np.arange(80) < 30
    a, b = (DelongAuroc.of(random.normal(size=80) + positive, positive) for _ in range(2))
    wide, narrow = (delong_test(a, b, confidence=confidence) for confidence in (0.95, 0.9))
    assert wide == delong_test(a, b)
    widths = [test.upper - test.lower for test in (wide, narrow)]  # type: ignore[operator]  # there is spread
    assert widths[0] / widths[1] == pytest.approx(norm.ppf(0.975) / norm.ppf(0.95))
