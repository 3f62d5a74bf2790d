import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from training.errors import DataSetError
from training.evaluate.metrics import (
    Booleans,
    Floats,
    Integers,
    Ranking,
    confusion_matrices,
    youden_threshold,
)

Sample = tuple[Floats, Booleans, Floats]


@st.composite
def weighted_samples(draw: st.DrawFn) -> Sample:
    """Scores with many ties, membership, and weights of which some are 0."""
    n = draw(st.integers(2, 30))
    n_scores = draw(st.integers(1, 12))
    scores = draw(arrays(np.int64, n, elements=st.integers(0, n_scores))) / n_scores
    positive = draw(arrays(np.bool_, n))
    weights = draw(arrays(np.float64, (3, n), elements=st.sampled_from([0.0, 0.25, 1.0, 1.5, 3.0])))
    return scores, positive, weights


def holds_both(positive: Booleans, weights: Floats) -> bool:
    return bool(weights[positive].sum() > 0 and weights[~positive].sum() > 0)


@given(weighted_samples())
def test_auroc_and_average_precision_equal_scikit_learn_for_every_row_of_weights(sample: Sample) -> None:
    scores, positive, weights = sample
    ranking = Ranking.of(scores, positive)
    aurocs, precisions = ranking.auroc(weights), ranking.average_precision(weights)
    for row, auroc, precision in zip(weights, aurocs, precisions, strict=True):
        if holds_both(positive, row):
            assert auroc == pytest.approx(roc_auc_score(positive, scores, sample_weight=row), abs=1e-12)
            expected = average_precision_score(positive, scores, sample_weight=row)
            assert precision == pytest.approx(expected, abs=1e-12)
        else:
            assert np.isnan(auroc)
            assert np.isnan(precision)


@given(weighted_samples(), st.integers(0, 2**32 - 1))
def test_the_order_of_the_images_does_not_matter(sample: Sample, seed: int) -> None:
    scores, positive, weights = sample
    order = np.random.default_rng(seed).permutation(len(scores))
    one, other = Ranking.of(scores, positive), Ranking.of(scores[order], positive[order])
    np.testing.assert_allclose(other.auroc(weights[:, order]), one.auroc(weights), atol=1e-12)
    np.testing.assert_allclose(
        other.average_precision(weights[:, order]), one.average_precision(weights), atol=1e-12
    )


@given(weighted_samples())
def test_a_weight_of_two_is_the_image_twice(sample: Sample) -> None:
    scores, positive, _ = sample
    counts = np.arange(len(scores)) % 3
    repeated = Ranking.of(np.repeat(scores, counts), np.repeat(positive, counts))
    assume(len(repeated.order) > 0)
    once = np.ones((1, len(repeated.order)))
    ranking = Ranking.of(scores, positive)
    weights = counts[None].astype(float)
    np.testing.assert_allclose(ranking.auroc(weights), repeated.auroc(once), atol=1e-12)
    np.testing.assert_allclose(
        ranking.average_precision(weights), repeated.average_precision(once), atol=1e-12
    )


def test_counts_as_integers_give_the_same_areas_as_floats() -> None:
    # 70,000 images of each class: the pairs do not fit into the 32 bits of a count.
    random = np.random.default_rng(0)
    positive = np.arange(140_000) % 2 == 0
    scores = np.round(random.normal(size=140_000) + positive, 3)
    ranking = Ranking.of(scores, positive)
    counts = random.integers(0, 4, (2, 140_000), dtype=np.int32)
    for drawn, exact, row in zip(
        ranking.areas(counts), ranking.areas(counts.astype(float)), (0, 1), strict=True
    ):
        np.testing.assert_allclose(drawn, exact, rtol=1e-12)
        score = (roc_auc_score, average_precision_score)[row]
        assert drawn[0] == pytest.approx(score(positive, scores, sample_weight=counts[0]), rel=1e-9)


def test_auroc_by_hand() -> None:
    # Pairs (positive, negative): 0.8 above both, 0.5 above 0.2 and tied with 0.5: (1 + 1 + 1 + 1/2) / 4.
    ranking = Ranking.of(np.array([0.8, 0.5, 0.5, 0.2]), np.array([True, True, False, False]))
    assert ranking.auroc(np.ones((1, 4))).tolist() == [0.875]


@given(weighted_samples())
def test_curves_equal_scikit_learn(sample: Sample) -> None:
    scores, positive, _ = sample
    assume(holds_both(positive, np.ones(len(positive))))
    ranking = Ranking.of(scores, positive)
    rates, sensitivities = ranking.roc_curve(np.ones((1, len(scores))))
    expected_rates, expected_sensitivities, _ = roc_curve(positive, scores, drop_intermediate=False)
    np.testing.assert_allclose(rates[0], expected_rates, atol=1e-12)
    np.testing.assert_allclose(sensitivities[0], expected_sensitivities, atol=1e-12)
    [precisions], [recalls] = ranking.precision_recall_curve(np.ones((1, len(scores))))
    expected_precisions, expected_recalls, _ = precision_recall_curve(positive, scores)
    np.testing.assert_allclose(precisions, expected_precisions[-2::-1], atol=1e-12)
    np.testing.assert_allclose(recalls, expected_recalls[-2::-1], atol=1e-12)


def test_a_weighted_precision_recall_curve_is_that_of_repeated_images() -> None:
    scores, positive = np.array([0.9, 0.1, 0.4]), np.array([True, False, False])
    weights = np.array([[1, 2, 3], [1, 1, 0]])
    precisions, recalls = Ranking.of(scores, positive).precision_recall_curve(weights)
    # By hand, from the highest score down: 1 of 1, 1 of 1 + 3, 1 of 1 + 3 + 2; the second row skips 0.4.
    np.testing.assert_allclose(precisions, [[1, 1 / 4, 1 / 6], [1, 1, 1 / 2]])
    np.testing.assert_allclose(recalls, 1)


def test_a_roc_curve_is_not_defined_where_the_weights_leave_out_a_class() -> None:
    ranking = Ranking.of(np.array([0.9, 0.1, 0.4]), np.array([True, False, True]))
    rates, sensitivities = ranking.roc_curve(np.array([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]))
    assert np.isnan(rates[0]).all()
    assert np.isnan(sensitivities[0]).all()
    assert np.isfinite(rates[1]).all()
    assert np.isfinite(sensitivities[1]).all()


@given(
    arrays(np.int64, 40, elements=st.integers(0, 3)),
    arrays(np.int64, 40, elements=st.integers(0, 3)),
    arrays(np.float64, (2, 40), elements=st.sampled_from([0.0, 1.0, 2.5])),
)
def test_confusion_equals_scikit_learn(truth: Integers, decided: Integers, weights: Floats) -> None:
    assume(weights.any(axis=1).all())  # scikit-learn refuses images that do not count at all
    for matrix, row in zip(confusion_matrices(truth, decided, 4, weights), weights, strict=True):
        expected = confusion_matrix(truth, decided, labels=range(4), sample_weight=row)
        np.testing.assert_allclose(matrix, expected)


def youden_index(threshold: float, scores: Floats, positive: Booleans) -> float:
    reported = scores >= threshold
    return float(reported[positive].mean() - reported[~positive].mean())


@given(weighted_samples())
def test_youden_threshold_is_the_middle_of_the_widest_highest_plateau(sample: Sample) -> None:
    scores, positive, _ = sample
    assume(holds_both(positive, np.ones(len(positive))))
    scores = scores.astype(np.float32).astype(np.float64)
    threshold = youden_threshold(scores, positive)
    assert 0 < threshold < 1

    # By brute force: J on a fine grid that has points between all scores (which are k/m, m <= 12).
    grid = (np.arange(20_000) + 0.5) / 20_000
    reported = scores >= grid[:, None]
    j = reported[:, positive].mean(axis=1) - reported[:, ~positive].mean(axis=1)
    highest = np.isclose(j, j.max(), atol=1e-12)
    assert youden_index(threshold, scores, positive) == pytest.approx(j.max(), abs=1e-12)
    edges = np.flatnonzero(np.diff(np.r_[False, highest, False].astype(int)))
    widths = (edges[1::2] - edges[::2]) / 20_000
    left = threshold - widths.max() / 2 + 1e-3
    right = threshold + widths.max() / 2 - 1e-3
    for near in (left, right):
        assert youden_index(near, scores, positive) == pytest.approx(j.max(), abs=1e-12)


def test_youden_threshold_of_separated_scores_lies_half_way() -> None:
    scores = np.array([0.0, 0.25, 0.75, 1.0])
    assert youden_threshold(scores, scores > 0.5) == 0.5


@pytest.mark.parametrize(
    ("negative", "positive"),
    [
        (0.0, 1.0),
        (0.0, float(np.nextafter(np.float32(0), np.float32(1)))),
        (0.5, float(np.nextafter(np.float32(0.5), np.float32(1)))),
        (float(np.nextafter(np.float32(1), np.float32(0)) - 2**-24), 1.0),
    ],
)
def test_youden_threshold_separates_neighbouring_numbers_in_fp32(negative: float, positive: float) -> None:
    scores = np.array([negative, positive], dtype=np.float32)
    threshold = youden_threshold(scores, np.array([False, True]))
    assert 0 < threshold < 1
    assert (scores >= np.float32(threshold)).tolist() == [False, True]
    assert threshold == float(np.float32(threshold))


def test_youden_threshold_stays_inside_where_no_threshold_separates() -> None:
    assert 0 < youden_threshold(np.array([1.0, 1.0]), np.array([True, False])) < 1
    assert 0 < youden_threshold(np.array([0.0, 0.0]), np.array([True, False])) < 1
    assert 0 < youden_threshold(np.array([0.0, 1.0]), np.array([True, False])) < 1
    just_below_one = np.nextafter(np.float32(1), np.float32(0))
    assert 0 < youden_threshold(np.array([just_below_one, 1.0]), np.array([False, True])) < 1


def test_youden_threshold_needs_both_classes_and_probabilities() -> None:
    with pytest.raises(DataSetError, match="from 2 positive and 0 negative images: both are needed"):
        youden_threshold(np.array([0.1, 0.9]), np.array([True, True]))
    with pytest.raises(DataSetError, match="from 0 positive and 0 negative"):
        youden_threshold(np.array([]), np.array([], dtype=bool))
    for wrong in (np.nan, -0.1, 1.1):
        with pytest.raises(DataSetError, match="probabilities in"):
            youden_threshold(np.array([0.1, wrong]), np.array([True, False]))
