"""Temperature and calibration errors against independent implementations."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize_scalar
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from training.errors import DataSetError
from training.evaluate.calibration import (
    BinnedConfidence,
    calibrated_probabilities,
    fit_temperature,
    log_losses,
    squared_errors,
    top_label,
)
from training.evaluate.metrics import Floats, Integers


def drawn_logits(n: int, *, overconfidence: float, seed: int = 0) -> tuple[Floats, Integers]:
    """Return logits and classes drawn from softmax(logits / overconfidence): the true temperature."""
    random = np.random.default_rng(seed)
    logits = random.normal(scale=2, size=(n, 3))
    chances = calibrated_probabilities(logits).cumsum(axis=1)
    truth = (random.random((n, 1)) > chances).sum(axis=1)
    return logits * overconfidence, truth


def best_by_search(logits: Floats, truth: Integers) -> float:
    """Return the temperature at which scikit-learn's cross-entropy is lowest."""
    found = minimize_scalar(
        lambda exponent: log_loss(truth, calibrated_probabilities(logits, float(np.exp(exponent)))),
        bounds=(-3, 3),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return float(np.exp(found.x))


@pytest.mark.parametrize("overconfidence", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("n", [60, 2000])
def test_the_temperature_is_the_optimum_of_a_search(overconfidence: float, n: int) -> None:
    logits, truth = drawn_logits(n, overconfidence=overconfidence)
    temperature = fit_temperature(logits, truth)
    assert temperature == pytest.approx(best_by_search(logits, truth), rel=1e-4)
    here = log_loss(truth, calibrated_probabilities(logits, temperature))
    for factor in (0.95, 1.05):
        assert here < log_loss(truth, calibrated_probabilities(logits, temperature * factor))


def test_the_temperature_that_made_the_classes_is_found_again() -> None:
    logits, truth = drawn_logits(20_000, overconfidence=2.5)
    assert fit_temperature(logits, truth) == pytest.approx(2.5, rel=0.05)


def test_a_temperature_mends_the_calibration_and_changes_no_ranking() -> None:
    logits, truth = drawn_logits(5000, overconfidence=3.0)
    before, after = (
        calibrated_probabilities(logits, temperature) for temperature in (1.0, fit_temperature(logits, truth))
    )
    once = np.ones((1, len(truth)))
    errors = [BinnedConfidence.of(*top_label(p, truth)).error(once)[0] for p in (before, after)]
    assert errors[1] < 0.3 * errors[0]
    assert (before.argmax(axis=1) == after.argmax(axis=1)).all()


def test_where_no_temperature_can_be_fitted_it_is_one_and_says_why(
    capsys: pytest.CaptureFixture[str],
) -> None:
    truth = np.arange(60) % 3
    right = 5 * np.eye(3)[truth]
    assert fit_temperature(right, truth) == 1
    assert "all 60 validation images are put right" in capsys.readouterr().err
    assert fit_temperature(-right, truth) == 1
    assert "no better than chance" in capsys.readouterr().err
    assert fit_temperature(np.zeros((60, 3)), truth) == 1
    capsys.readouterr()
    logits, few = drawn_logits(29, overconfidence=2.0)
    assert fit_temperature(logits, few) == 1
    assert "29 validation images are too few to fit one, 30 are needed" in capsys.readouterr().err


def test_logits_of_any_size_are_fitted() -> None:
    logits, truth = drawn_logits(500, overconfidence=1.0)
    expected = fit_temperature(logits, truth)
    for scale in (0.05, 20.0):
        assert fit_temperature(logits * scale, truth) == pytest.approx(expected * scale)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_logits_that_are_no_numbers_are_refused(wrong: float) -> None:
    logits = np.array([[0.0, 1.0], [wrong, 0.0]])
    with pytest.raises(DataSetError, match="logits of 1 of 2 images are NaN or infinite"):
        calibrated_probabilities(logits)
    with pytest.raises(DataSetError, match="logits of 1 of 2"):
        fit_temperature(logits, np.array([0, 1]))


@given(
    arrays(np.float64, (25, 3), elements=st.floats(-6, 6)),
    arrays(np.int64, 25, elements=st.integers(0, 2)),
    st.integers(1, 20),
)
def test_calibration_errors_equal_torchmetrics(logits: Floats, truth: Integers, n_bins: int) -> None:
    from training.torchvision_schemas import declare_missing_operators

    declare_missing_operators()  # before torchmetrics imports torchvision
    from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

    probabilities = np.asfortranarray(calibrated_probabilities(logits))  # so that columns are contiguous
    scaled = probabilities * n_bins
    assume(np.abs(scaled - scaled.round()).min() > 1e-6)  # torchmetrics puts an edge into the bin above
    once = np.ones((1, 25))
    expected = multiclass_calibration_error(
        torch.from_numpy(probabilities), torch.from_numpy(truth), num_classes=3, n_bins=n_bins
    )
    assert BinnedConfidence.of(*top_label(probabilities, truth), n_bins).error(once)[0] == pytest.approx(
        float(expected), abs=1e-6
    )
    of_class = BinnedConfidence.of(probabilities[:, 1], truth == 1, n_bins).error(once)[0]
    # torchmetrics' binary form also takes the probability of one class as the confidence
    expected = binary_calibration_error(
        torch.from_numpy(probabilities[:, 1]), torch.from_numpy((truth == 1).astype(int)), n_bins=n_bins
    )
    assert of_class == pytest.approx(float(expected), abs=1e-6)


def test_calibration_error_by_hand() -> None:
    # Bins (0, 0.5] and (0.5, 1]: 0.2 and 0.5 with one right: |0.5 - 0.35|; 0.6 and 0.8 with both right: 0.3.
    binned = BinnedConfidence.of(np.array([0.8, 0.2, 0.6, 0.5]), np.array([True, False, True, True]), 2)
    assert binned.error(np.ones((1, 4)))[0] == pytest.approx(0.5 * 0.15 + 0.5 * 0.3)
    # Without the first image: (0.5, 1] holds 0.6 alone, off by 0.4.
    assert binned.error(np.array([[0, 1, 1, 1]]))[0] == pytest.approx(2 / 3 * 0.15 + 1 / 3 * 0.4)


@given(
    arrays(np.float64, 20, elements=st.floats(0, 1)),
    arrays(np.bool_, 20),
    arrays(np.int64, 20, elements=st.integers(0, 3)),
)
def test_a_weight_of_two_is_the_image_twice(
    confidence: Floats, correct: "np.ndarray[tuple[int], np.dtype[np.bool_]]", counts: Integers
) -> None:
    assume(counts.sum() > 0)
    repeated = BinnedConfidence.of(np.repeat(confidence, counts), np.repeat(correct, counts))
    weighted = BinnedConfidence.of(confidence, correct).error(counts[None])
    np.testing.assert_allclose(weighted, repeated.error(np.ones((1, counts.sum()))), atol=1e-12)


def test_reliability_bins_equal_scikit_learn() -> None:
    random = np.random.default_rng(3)
    confidence = random.random(400) ** 2 * 0.9  # none in the highest bins
    correct = random.random(400) < confidence
    bins = BinnedConfidence.of(confidence, correct, 10).reliability()
    assert [(b.lower, b.upper) for b in bins] == [(m / 10, (m + 1) / 10) for m in range(10)]
    held = [b for b in bins if b.n]
    shares, confidences = calibration_curve(correct, confidence, n_bins=10)
    assert [b.share.value for b in held] == pytest.approx(shares.tolist())
    assert [b.confidence for b in held] == pytest.approx(confidences.tolist())
    assert sum(b.n for b in bins) == 400
    assert (bins[-1].n, bins[-1].confidence, bins[-1].share.value) == (0, None, None)
    for b in held:
        assert b.share.lower is not None
        assert b.share.upper is not None
        assert b.share.lower <= (b.share.value or 0) <= b.share.upper


def test_the_edge_of_a_bin_belongs_to_the_bin_below() -> None:
    # ((m - 1) / M, m / M], as Guo et al. print it; a confidence of 0 is in the first bin.
    bins = BinnedConfidence.of(np.array([0.0, 0.5, 1.0]), np.array([True, True, True]), 2).reliability()
    assert [b.n for b in bins] == [2, 1]


def test_brier_scores_and_log_loss_equal_scikit_learn() -> None:
    logits, truth = drawn_logits(300, overconfidence=1.5)
    probabilities = calibrated_probabilities(logits)
    errors = squared_errors(probabilities, truth)
    for k in range(3):
        assert errors[:, k].mean() == pytest.approx(brier_score_loss(truth == k, probabilities[:, k]))
    assert errors.sum(axis=1).mean() == pytest.approx(
        brier_score_loss(truth, probabilities, scale_by_half=False)
    )
    assert log_losses(probabilities, truth).mean() == pytest.approx(log_loss(truth, probabilities))


def test_a_class_given_no_chance_costs_much_but_not_everything() -> None:
    losses = log_losses(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([1, 1]))
    assert np.isfinite(losses).all()
    assert losses[0] > 30
    assert losses[1] == pytest.approx(np.log(2))
