from math import isclose

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm
from sklearn.metrics import f1_score, jaccard_score, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from training.evaluate import intervals
from training.evaluate.calibration import BinnedConfidence
from training.evaluate.intervals import (
    Estimate,
    bootstrap_estimate,
    bootstrap_replicates,
    calibration_estimate,
    f1_estimate,
    newcombe_estimate,
    normal_estimate,
    resampled_weights,
    wilson_bounds,
    wilson_estimate,
)
from training.evaluate.metrics import Floats, Ranking


@pytest.mark.parametrize(
    ("successes", "n"), [(0, 7), (3, 7), (7, 7), (0, 1), (1, 1), (81, 263), (999, 1000), (99_999, 100_000)]
)
def test_wilson_equals_statsmodels(successes: int, n: int) -> None:
    estimate = wilson_estimate(successes, n)
    lower, upper = proportion_confint(successes, n, alpha=0.05, method="wilson")
    assert estimate.value == successes / n
    assert estimate.lower == pytest.approx(lower, abs=1e-12)
    assert estimate.upper == pytest.approx(upper, abs=1e-12)
    assert (estimate.n, estimate.method) == (n, "wilson")
    exact = binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert (estimate.lower, estimate.upper) == pytest.approx((exact.low, exact.high), abs=1e-12)
    assert 0 <= exact.low <= successes / n <= exact.high <= 1


@given(st.integers(1, 500), st.data())
def test_the_normal_interval_equals_statsmodels(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n))
    estimate = normal_estimate(successes, n)
    lower, upper = proportion_confint(successes, n, alpha=0.05, method="normal")  # which clips to [0, 1]
    assert estimate.lower is not None
    assert estimate.upper is not None
    assert (max(estimate.lower, 0), min(estimate.upper, 1)) == pytest.approx((lower, upper), abs=1e-12)
    assert estimate.upper - successes / n == pytest.approx(successes / n - estimate.lower)
    assert normal_estimate(0, 0) == wilson_estimate(0, 0)


@given(st.integers(0, 60), st.integers(0, 30), st.integers(0, 30))
def test_the_interval_of_f1_is_that_of_the_jaccard_index(tp: int, fp: int, fn: int) -> None:
    assume(tp + fp + fn > 0)
    truth, decided = ([1] * tp + [0] * fp + [1] * fn, [1] * (tp + fp) + [0] * fn)
    f1 = f1_score(truth, decided)
    estimate = f1_estimate(f1, 99, counted=tp + fp + fn)
    bounds = proportion_confint(tp, tp + fp + fn, method="wilson")
    assert jaccard_score(truth, decided) == pytest.approx(f1 / (2 - f1))
    assert (estimate.lower, estimate.upper) == pytest.approx(
        tuple(2 * b / (1 + b) for b in bounds), abs=1e-12
    )
    assert (estimate.value, estimate.n, estimate.method) == (f1, 99, "wilson")


def test_wilson_published_example() -> None:
    # 81 of 263: 0.2553 to 0.3662 (Newcombe 1998, Statistics in Medicine 17:857, table I, method 3).
    estimate = wilson_estimate(81, 263)
    assert estimate.lower is not None
    assert estimate.upper is not None
    assert (round(estimate.lower, 4), round(estimate.upper, 4)) == (0.2553, 0.3662)


def test_a_proportion_of_nothing_is_not_defined() -> None:
    assert wilson_estimate(0, 0) == Estimate(None, None, None, 0, "none")


def test_an_estimate_reads_as_value_and_interval() -> None:
    assert str(Estimate(0.9938, 0.9881, 0.998, 40, "wilson")) == "0.994 (0.988-0.998)"
    assert str(Estimate(1.0, None, None, 40, "none")) == "1.000"
    assert str(Estimate(None, None, None, 0, "none")) == "not defined"


def test_resampling_draws_whole_patients() -> None:
    patients = np.array(["b", "a", "b", "c", "b"])
    weights = np.concatenate(list(resampled_weights(patients, n_bootstrap=200, seed=1)))
    assert weights.shape == (200, 5)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 0] == weights[:, 4]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert weights[:, 1].mean() == pytest.approx(1, abs=0.2)


def test_resampling_follows_the_patient_not_the_order_of_images() -> None:
    patients = np.array(["b", "a", "b", "c"])
    order = np.array([3, 0, 2, 1])
    one = np.concatenate(list(resampled_weights(patients, n_bootstrap=10, seed=1)))
    other = np.concatenate(list(resampled_weights(patients[order], n_bootstrap=10, seed=1)))
    assert (other == one[:, order]).all()


def test_resampling_in_chunks_gives_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "_WEIGHTS_PER_CHUNK", 40)
    chunks = list(resampled_weights(np.arange(10), n_bootstrap=10, seed=0))
    assert [len(chunk) for chunk in chunks] == [4, 4, 2]
    assert all((chunk.sum(axis=1) == 10).all() for chunk in chunks)


def test_replicates_equal_scikit_learn_on_the_drawn_images() -> None:
    random = np.random.default_rng(0)
    patients = random.integers(0, 20, 60)
    positive = random.random(60) < 0.4
    scores = random.normal(size=60) + positive
    ranking = Ranking.of(scores, positive)
    replicates = bootstrap_replicates(
        lambda weights: ranking.auroc(weights)[:, None], patients, n_bootstrap=25, seed=3
    )
    drawn = np.concatenate(list(resampled_weights(patients, n_bootstrap=25, seed=3))).astype(int)
    expected = [roc_auc_score(np.repeat(positive, row), np.repeat(scores, row)) for row in drawn]
    np.testing.assert_allclose(replicates[:, 0], expected, atol=1e-12)


def test_more_images_of_the_same_patients_bring_no_false_certainty() -> None:
    random = np.random.default_rng(0)
    positive = random.random(50) < 0.5
    scores = random.normal(size=50) + positive

    def interval(copies: int, *, by_patient: bool) -> float:
        ranking = Ranking.of(np.tile(scores, copies), np.tile(positive, copies))
        patients = np.tile(np.arange(50), copies) if by_patient else np.arange(50 * copies)
        lower, upper = np.percentile(
            bootstrap_replicates(
                lambda weights: ranking.auroc(weights)[:, None], patients, n_bootstrap=500, seed=0
            ),
            [2.5, 97.5],
        )
        return float(upper - lower)

    assert interval(4, by_patient=True) == pytest.approx(interval(1, by_patient=True), abs=1e-12)
    assert interval(4, by_patient=False) < 0.7 * interval(1, by_patient=True)


def test_bootstrap_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(1).normal(size=400)
    replicates = bootstrap_replicates(
        lambda weights: (weights @ values / weights.sum(axis=1))[:, None],
        np.arange(400),
        n_bootstrap=4000,
        seed=0,
    )
    estimate = bootstrap_estimate(values.mean(), replicates[:, 0], 400, n_patients=400)
    half = norm.ppf(0.975) * values.std() / 20
    assert estimate.lower == pytest.approx(values.mean() - half, abs=0.08 * half)
    assert estimate.upper == pytest.approx(values.mean() + half, abs=0.08 * half)
    assert estimate.method == "patient_bootstrap"


def test_replicates_that_are_not_defined_are_left_out() -> None:
    replicates = np.r_[np.linspace(0, 1, 101), np.full(50, np.nan)]
    estimate = bootstrap_estimate(0.5, replicates, 9, n_patients=5)
    assert (estimate.lower, estimate.upper) == pytest.approx((0.025, 0.975))
    assert estimate.method == "patient_bootstrap"


def test_a_calibration_error_is_as_far_off_as_the_noise_goes() -> None:
    noise = np.linspace(0, 0.1, 101)
    estimate = calibration_estimate(0.3, noise, 9, n_patients=5)
    assert (estimate.lower, estimate.upper) == pytest.approx((0.3 - 0.095, 0.3 + 0.095))
    assert estimate.method == "noise_bootstrap"
    assert calibration_estimate(0.01, noise, 9, n_patients=5).lower == 0
    assert calibration_estimate(0.99, noise, 9, n_patients=5).upper == 1
    assert calibration_estimate(0.3, noise, 9, n_patients=1) == Estimate(0.3, None, None, 9, "none")


@pytest.mark.parametrize("overconfidence", [1.0, 1.5, 4.0])
def test_calibration_intervals_hold_the_true_error(overconfidence: float) -> None:
    random = np.random.default_rng(0)

    def drawn(n: int) -> tuple[Floats, Floats]:
        logits = random.normal(scale=2, size=n)
        return 1 / (1 + np.exp(-logits)), 1 / (1 + np.exp(-logits * overconfidence))

    chance, confidence = drawn(400_000)
    bins = (confidence * 15).astype(int)
    true = np.abs(np.bincount(bins, weights=chance - confidence)).sum() / len(bins)
    assert (true < 1e-12) == (overconfidence == 1)
    held = 0
    for _ in range(60):
        chance, confidence = drawn(150)
        binned = BinnedConfidence.of(confidence, random.random(150) < chance)
        noise = bootstrap_replicates(
            lambda weights, binned=binned: binned.noise(weights)[:, None],  # type: ignore[misc]  # its default
            np.arange(150),
            n_bootstrap=200,
            seed=1,
        )
        value = float(binned.error(np.ones((1, 150)))[0])
        estimate = calibration_estimate(value, noise[:, 0], 150, n_patients=150)
        assert estimate.lower is not None
        assert estimate.upper is not None
        held += estimate.lower <= true <= estimate.upper
    assert held >= 53  # of 60 at 95 %: fewer has a chance of 1 in 200


def test_no_interval_is_claimed_where_the_bootstrap_shows_none() -> None:
    varied = np.linspace(0, 1, 100)
    assert bootstrap_estimate(np.nan, varied, 9, n_patients=5) == Estimate(None, None, None, 9, "none")
    assert bootstrap_estimate(0.5, varied, 9, n_patients=1) == Estimate(0.5, None, None, 9, "none")
    assert bootstrap_estimate(1.0, np.ones(100), 9, n_patients=5) == Estimate(1.0, None, None, 9, "none")
    never = np.full(100, np.nan)
    assert bootstrap_estimate(1.0, never, 9, n_patients=5) == Estimate(1.0, None, None, 9, "none")


def hanley_mcneil_variance(theta: float, n_positive: int, n_negative: int) -> float:
    """Hanley and McNeil 1982 in its own letters, each count less one replaced by their mean."""
    q1, q2 = theta / (2 - theta), 2 * theta**2 / (1 + theta)
    less_one = (n_positive - 1 + n_negative - 1) / 2
    numerator = theta * (1 - theta) + less_one * (q1 - theta**2) + less_one * (q2 - theta**2)
    return numerator / (n_positive * n_negative)


@given(st.floats(0, 1), st.integers(1, 400), st.integers(1, 400))
def test_newcombe_bounds_solve_its_equation(auroc: float, n_positive: int, n_negative: int) -> None:
    estimate = newcombe_estimate(auroc, 5, n_positive=n_positive, n_negative=n_negative)
    assert estimate.lower is not None
    assert estimate.upper is not None
    assert 0 <= estimate.lower <= auroc <= estimate.upper <= 1
    z = float(norm.ppf(0.975))
    for bound, extreme in ((estimate.lower, 0), (estimate.upper, 1)):
        if bound != extreme:
            distance = z * hanley_mcneil_variance(bound, n_positive, n_negative) ** 0.5
            assert isclose(abs(auroc - bound), distance, rel_tol=1e-4, abs_tol=1e-6)


def test_newcombe_stays_informative_at_perfect_separation() -> None:
    perfect = newcombe_estimate(1.0, 40, n_positive=10, n_negative=30)
    assert perfect.lower is not None
    assert 0.8 < perfect.lower < 0.95
    assert perfect.upper == 1
    mirrored = newcombe_estimate(0.0, 40, n_positive=30, n_negative=10)
    assert mirrored.upper == pytest.approx(1 - perfect.lower)
    assert mirrored.lower == 0
    # One patient each: (1 - theta)^2 = z^2 theta (1 - theta), so theta = 1 / (1 + z^2).
    single = newcombe_estimate(1.0, 2, n_positive=1, n_negative=1)
    assert single.lower == pytest.approx(1 / (1 + norm.ppf(0.975) ** 2))


def test_bounds_follow_the_confidence_that_is_asked_for() -> None:
    replicates = np.linspace(0, 1, 1001)
    estimate = bootstrap_estimate(0.5, replicates, 10, n_patients=10, confidence=0.8)
    assert (estimate.lower, estimate.upper) == pytest.approx((0.1, 0.9))
    expected = binomtest(60, 80).proportion_ci(confidence_level=0.8, method="wilson")
    assert wilson_bounds(60, 80, confidence=0.8) == pytest.approx((expected.low, expected.high))
