import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import confusion_matrix, roc_curve
from statsmodels.stats.proportion import proportion_confint

from hilum.errors import UsageError
from training.errors import DataSetError
from training.evaluate.intervals import Estimate
from training.evaluate.metrics import Booleans, Floats
from training.evaluate.thresholds import (
    GRID,
    Constraint,
    choose_threshold,
    threshold_frame,
    threshold_table,
)

RANDOM = np.random.default_rng(0)
POSITIVE = RANDOM.random(300) < 0.3
SCORES = np.round(1 / (1 + np.exp(-RANDOM.normal(size=300) - 2 * POSITIVE + 1)), 3)


def test_every_row_equals_scikit_learn_and_statsmodels() -> None:
    rows = threshold_table(SCORES, POSITIVE, (0.1, float(SCORES[7]), 0.8))
    for row in rows:
        tn, fp, fn, tp = (int(n) for n in confusion_matrix(POSITIVE, row.threshold <= SCORES).ravel())
        assert row.reported == tp + fp
        expected = {
            "sensitivity": (tp, tp + fn),
            "specificity": (tn, tn + fp),
            "ppv": (tp, tp + fp),
            "npv": (tn, tn + fn),
        }
        for rate, (count, n) in expected.items():
            estimate: Estimate = getattr(row, rate)
            lower, upper = proportion_confint(count, n, method="wilson")
            assert (estimate.value, estimate.n, estimate.method) == (count / n, n, "wilson")
            assert (estimate.lower, estimate.upper) == pytest.approx((lower, upper), abs=1e-12)


def test_an_image_at_the_threshold_is_reported() -> None:
    row = threshold_table(np.array([0.4, 0.4, 0.1]), np.array([True, False, False]), [0.4])[0]
    assert (row.sensitivity.value, row.specificity.value, row.reported) == (1, 0.5, 2)


def test_the_papers_intervals_stand_beside_wilsons() -> None:
    # Minaee et al. 2020, table 6: 98 % of 100 images, +- 2.7 %; 90.7 % of 3000, by equation 3 +- 1.04 %.
    own = np.r_[np.ones(98), np.zeros(2)]
    others = np.r_[np.zeros(2721), np.ones(279)]
    positive = np.r_[np.ones(100, dtype=bool), np.zeros(3000, dtype=bool)]
    scores = np.r_[own, others]
    normal = threshold_table(scores, positive, [0.5], interval="normal")[0]
    wilson = threshold_table(scores, positive, [0.5])[0]
    assert normal.sensitivity.method == "normal"
    assert normal.sensitivity.lower == pytest.approx(0.98 - 0.027, abs=5e-4)
    assert normal.sensitivity.upper == pytest.approx(0.98 + 0.027, abs=5e-4)  # beyond 1: the paper's own
    assert normal.specificity.upper == pytest.approx(0.907 + 0.0104, abs=5e-4)
    assert wilson.sensitivity.upper is not None
    assert wilson.sensitivity.upper < 1
    lower, upper = proportion_confint(2721, 3000, method="normal")
    assert (normal.specificity.lower, normal.specificity.upper) == pytest.approx((lower, upper))
    assert normal.specificity.value == wilson.specificity.value == 2721 / 3000


def test_what_is_not_defined_is_none_and_nan_in_the_frame() -> None:
    rows = threshold_table(np.array([0.1, 0.2]), np.array([True, False]), (0.05, 0.9))
    assert rows[0].npv == rows[1].ppv == Estimate(None, None, None, 0, "none")
    frame = threshold_frame(rows)
    assert frame["threshold"].tolist() == [0.05, 0.9]
    assert np.isnan(frame["ppv"]).tolist() == [False, True]
    assert frame["ppv_n"].tolist() == [2, 0]
    assert frame["sensitivity"].tolist() == [1.0, 0.0]
    assert frame["sensitivity_lower"].tolist() == [row.sensitivity.lower for row in rows]


def test_the_grid_is_that_of_hundredths() -> None:
    assert [row.threshold for row in threshold_table(SCORES, POSITIVE)] == list(GRID)
    assert (GRID[0], GRID[-1], len(GRID)) == (0.05, 0.95, 19)


@st.composite
def samples(draw: st.DrawFn) -> tuple[Floats, Booleans]:
    n = draw(st.integers(2, 25))
    scores = draw(arrays(np.int64, n, elements=st.integers(1, 11))) / 12
    return scores, draw(arrays(np.bool_, n))


@given(
    samples(), st.sampled_from(["sensitivity", "specificity"]), st.sampled_from([0.3, 0.5, 0.8, 0.98, 1.0])
)
def test_the_chosen_threshold_is_the_best_that_meets_the_constraint(
    sample: tuple[Floats, Booleans], rate: str, at_least: float
) -> None:
    scores, positive = sample
    assume(positive.any() and not positive.all())
    row = choose_threshold(scores, positive, Constraint.parse(f"{rate}>={at_least}"))
    met, other = (row.sensitivity.value, row.specificity.value)[:: 1 if rate == "sensitivity" else -1]
    assert met is not None
    assert met >= at_least
    # By brute force: no point of the ROC curve meets the constraint and is better at the other rate.
    false_alarms, sensitivities, _ = roc_curve(positive, scores, drop_intermediate=False)
    points = np.c_[sensitivities, 1 - false_alarms][:, :: 1 if rate == "sensitivity" else -1]
    assert other == pytest.approx(points[points[:, 0] >= at_least - 1e-9, 1].max())
    # In the middle of the thresholds that decide alike.
    edges = np.r_[0, np.unique(scores), 1]
    above = int(np.searchsorted(edges, row.threshold))
    assert row.threshold == pytest.approx((edges[above - 1] + edges[above]) / 2, abs=1e-6)


def test_a_lower_bound_asks_for_more_than_the_value() -> None:
    by_value = choose_threshold(SCORES, POSITIVE, Constraint.parse("sensitivity>=0.9"))
    by_bound = choose_threshold(SCORES, POSITIVE, Constraint.parse("sensitivity.lower >= 0.9"))
    assert by_bound.threshold < by_value.threshold
    assert by_bound.sensitivity.lower is not None
    assert by_bound.sensitivity.lower >= 0.9
    # One image less would not do.
    missed = round(by_bound.sensitivity.n * (by_bound.sensitivity.value or 0)) - 1
    assert proportion_confint(missed, by_bound.sensitivity.n, method="wilson")[0] < 0.9


def test_a_bound_that_so_few_images_cannot_reach_says_how_many_can() -> None:
    scores, positive = np.linspace(0.1, 0.9, 30), np.arange(30) >= 18
    constraint = Constraint.parse("sensitivity.lower>=0.95")
    with pytest.raises(
        DataSetError, match=r"with 12 images: if all .* bound is 0\.758\. It takes 73 or more"
    ):
        choose_threshold(scores, positive, constraint)
    assert (
        proportion_confint(73, 73, method="wilson")[0]
        >= 0.95
        > proportion_confint(72, 72, method="wilson")[0]
    )


def test_a_threshold_needs_both_classes_and_probabilities() -> None:
    constraint = Constraint.parse("specificity>=0.9")
    with pytest.raises(DataSetError, match="images of the class and others; got 3 and 0"):
        choose_threshold(np.array([0.1, 0.2, 0.3]), np.ones(3, dtype=bool), constraint)
    for wrong in (np.nan, -0.1, 1.1):
        with pytest.raises(DataSetError, match="probabilities in"):
            choose_threshold(np.array([wrong, 0.2]), np.array([True, False]), constraint)
        with pytest.raises(DataSetError, match="probabilities in"):
            threshold_table(np.array([wrong, 0.2]), np.array([True, False]))


def test_probabilities_at_an_end_can_leave_no_threshold() -> None:
    with pytest.raises(DataSetError, match=r"No threshold in \(0, 1\] reaches sensitivity>=1: .* exactly 0"):
        choose_threshold(np.array([0.0, 0.5]), np.array([True, False]), Constraint.parse("sensitivity>=1"))
    with pytest.raises(DataSetError, match=r"reaches specificity>=1: .* exactly 1"):
        choose_threshold(np.array([0.5, 1.0]), np.array([True, False]), Constraint.parse("specificity>=1"))


def test_neighbouring_fp32_numbers_are_told_apart() -> None:
    higher = float(np.nextafter(np.float32(0.5), np.float32(1)))
    for text in ("sensitivity>=1", "specificity>=1"):
        row = choose_threshold(np.array([0.5, higher]), np.array([False, True]), Constraint.parse(text))
        assert (row.sensitivity.value, row.specificity.value) == (1, 1)


@pytest.mark.parametrize("text", ["", "sensitivity", "sensitivity>0.9", "auroc>=0.9", "sensitivity>=high"])
def test_an_unknown_constraint_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="Expected a constraint such as"):
        Constraint.parse(text)


@pytest.mark.parametrize("text", ["sensitivity>=0", "sensitivity>=1.2", "specificity.lower>=1"])
def test_an_impossible_constraint_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="must ask for a share in"):
        Constraint.parse(text)


def test_a_constraint_reads_as_it_is_written() -> None:
    for text in ("sensitivity>=0.98", "specificity.lower>=0.9"):
        assert str(Constraint.parse(text)) == text
