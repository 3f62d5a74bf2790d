"""Likeness of maps and means with intervals, against scipy and by hand."""

import numpy as np
import pytest
from scipy import stats

from training.explain.similarity import Mean, mean_of, rank_correlations, structural_similarities

MAPS = np.random.default_rng(0).random((4, 7, 7))


def test_rank_correlation_is_scipys() -> None:
    other = MAPS**2 + np.random.default_rng(1).random((4, 7, 7))
    expected = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(MAPS, other, strict=True)]
    assert rank_correlations(MAPS, other) == pytest.approx(expected)
    assert 0.1 < expected[0] < 0.9


def test_rank_correlation_ignores_scale_and_resolution() -> None:
    enlarged = MAPS.repeat(9, axis=1).repeat(9, axis=2)
    assert rank_correlations(MAPS, 5 * enlarged - 3) == pytest.approx(np.ones(4))
    assert rank_correlations(-enlarged, MAPS) == pytest.approx(-np.ones(4))


def test_a_constant_map_ranks_nothing() -> None:
    assert rank_correlations(MAPS, np.ones((4, 7, 7))).tolist() == [0, 0, 0, 0]


def test_structural_similarity_knows_the_same_map_from_another() -> None:
    assert structural_similarities(MAPS, 2 * MAPS + 1) == pytest.approx(np.ones(4))
    assert (structural_similarities(MAPS, MAPS[::-1]) < 0.6).all()
    assert np.isfinite(structural_similarities(MAPS, np.ones((4, 7, 7)))).all()


def test_the_interval_is_students() -> None:
    values = np.array([0.2, 0.3, np.nan, 0.1, 0.4])
    known = np.array([0.2, 0.3, 0.1, 0.4])
    lower, upper = stats.ttest_1samp(known, 0).confidence_interval(0.95)
    found = mean_of(values, low=-1, high=1)
    assert (found.value, found.lower, found.upper) == pytest.approx((0.25, lower, upper))
    assert found.n == 4
    assert str(found) == f"0.25 ({lower:.2f} to {upper:.2f})"


def test_the_interval_stays_among_possible_values() -> None:
    found = mean_of(np.array([0.0, 0.9]), low=0, high=1)
    assert (found.lower, found.upper) == (0, 1)


def test_one_image_has_no_interval_and_none_has_no_mean() -> None:
    assert mean_of(np.array([0.3, np.nan]), low=0, high=1) == Mean(0.3, None, None, 1)
    assert mean_of(np.array([np.nan]), low=0, high=1) == Mean(None, None, None, 0)
    assert str(Mean(None, None, None, 0)) == "not defined"
    assert mean_of(np.array([0.4, 0.4]), low=0, high=1) == Mean(0.4, 0.4, 0.4, 2)
