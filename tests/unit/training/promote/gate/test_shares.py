import numpy as np
import pytest
from scipy.stats import binomtest

from hilum.errors import UsageError
from training.promote.gate.shares import bounded_share, design_effect


def test_of_independent_images_the_bounds_are_wilsons() -> None:
    right = np.arange(71) < 64
    share = bounded_share(right, np.arange(71), confidence=0.95)
    expected = binomtest(64, 71).proportion_ci(confidence_level=0.9, method="wilson")
    assert (share.lower, share.upper) == pytest.approx((expected.low, expected.high))
    assert (share.value, share.n, share.method) == (64 / 71, 71, "wilson")


def test_copies_of_images_tell_nothing_new() -> None:
    right = np.random.default_rng(0).random(60) < 0.8
    once = bounded_share(right, np.arange(60), confidence=0.95)
    copied = bounded_share(np.tile(right, 4), np.tile(np.arange(60), 4), confidence=0.95)
    assert (copied.lower, copied.upper) == pytest.approx((once.lower, once.upper), abs=0.002)
    assert design_effect(np.tile(right, 4).astype(float), np.tile(np.arange(60), 4)) == pytest.approx(
        4 * 60 / 59
    )


def test_images_that_do_not_resemble_each_other_count_whole() -> None:
    right = np.random.default_rng(1).random(4000) < 0.7
    effect = design_effect(right.astype(float), np.repeat(np.arange(2000), 2))
    assert effect == pytest.approx(1, abs=0.1)


def test_where_every_decision_is_right_only_patients_count() -> None:
    share = bounded_share(np.ones(90, dtype=np.bool_), np.repeat(np.arange(30), 3), confidence=0.95)
    assert share.lower == pytest.approx(binomtest(30, 30).proportion_ci(0.9, method="wilson").low)


def test_the_bounds_hold_for_patients_with_several_images() -> None:
    random, true, held = np.random.default_rng(2), 0.85, []
    patients = np.repeat(np.arange(40), 3)
    for _ in range(600):
        patient_right, alike = random.random(40) < true, random.random(120) < 0.7
        right = np.where(alike, patient_right[patients], random.random(120) < true)
        held.append(bounded_share(right, patients, confidence=0.95).lower <= true)
    assert 0.92 < np.mean(held) < 0.98


def test_no_image_is_refused() -> None:
    with pytest.raises(UsageError, match="one image"):
        bounded_share(np.zeros(0, dtype=np.bool_), np.zeros(0, dtype=np.int64), confidence=0.95)


def with_errors(images: list[int]) -> tuple[float, float]:
    """Return the lower bound with these of 200 images wrong, and the upper one with all others wrong."""
    right, patients = np.ones(200, dtype=np.bool_), np.repeat(np.arange(40), 5)
    right[images] = False
    lower = bounded_share(right, patients, confidence=0.95).lower
    return lower, bounded_share(~right, patients, confidence=0.95).upper


def test_one_more_error_never_makes_a_bound_better() -> None:
    bounds = np.array([with_errors(list(range(0, 5 * errors, 5))) for errors in range(41)])
    assert bounds[0, 0] == pytest.approx(binomtest(40, 40).proportion_ci(0.9, method="wilson").low)
    assert np.all(np.diff(bounds[:, 0]) <= 0)
    assert bounds[:, 1] == pytest.approx(1 - bounds[:, 0])


def test_no_error_at_all_has_the_best_bounds() -> None:
    best, _ = with_errors([])
    assert all(with_errors(list(range(errors)))[0] <= best for errors in range(1, 41))
