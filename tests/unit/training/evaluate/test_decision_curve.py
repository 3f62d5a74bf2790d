import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix

from hilum.errors import UsageError
from tests.support.predictions import CLASSES, synthetic_predictions
from training.errors import DataSetError
from training.evaluate.decision_curve import THRESHOLDS, decision_curve, decision_curves
from training.evaluate.metrics import Booleans, Floats

# Ten images, four of the class.
PROBABILITIES = np.array([0.9, 0.8, 0.5, 0.3, 0.6, 0.4, 0.2, 0.2, 0.1, 0.05])
POSITIVE = np.arange(10) < 4
PATIENTS = np.arange(10)


def by_counting(p: Floats, positive: Booleans, threshold: float) -> float:
    """Net benefit from scikit-learn's confusion matrix."""
    (_, false), (_, true) = confusion_matrix(positive, p >= threshold, labels=[False, True])
    return float((true - false * threshold / (1 - threshold)) / len(p))


def test_hand_worked() -> None:
    # At 0.5: three found (0.9, 0.8, 0.5) and one needless (0.6): 3/10 - 1/10 * 1 = 0.2.
    # At 0.2: four found, four needless (0.6, 0.4, 0.2, 0.2): 4/10 - 4/10 * 0.25 = 0.3. At 0.95: none.
    # Acting on all at 0.2: 4/10 - 6/10 * 0.25 = 0.25.
    curve = decision_curve(
        PROBABILITIES, POSITIVE, PATIENTS, thresholds=np.array([0.2, 0.5, 0.95]), n_bootstrap=100
    )
    assert curve.net_benefit == pytest.approx([0.3, 0.2, 0.0])
    assert curve.treat_all == pytest.approx([0.25, -0.2, 0.4 - 0.6 * 19])
    assert (curve.prevalence, curve.is_sample_prevalence) == (0.4, True)
    assert (curve.n_images, curve.n_positive) == (10, 4)


def test_a_stated_prevalence_weighs_the_rates() -> None:
    # At 0.5: sensitivity 3/4, false positive rate 1/6; at 10 %: 0.075 - 1/6 * 0.9 = -0.075.
    # Acting on all: 0.1 - 0.9 = -0.8.
    curve = decision_curve(
        PROBABILITIES, POSITIVE, PATIENTS, thresholds=np.array([0.5]), prevalence=0.1, n_bootstrap=100
    )
    assert curve.net_benefit == pytest.approx([-0.075])
    assert curve.treat_all == pytest.approx([-0.8])
    assert (curve.prevalence, curve.is_sample_prevalence) == (0.1, False)


def test_the_samples_own_prevalence_may_be_stated() -> None:
    own = decision_curve(PROBABILITIES, POSITIVE, PATIENTS, n_bootstrap=100)
    stated = decision_curve(PROBABILITIES, POSITIVE, PATIENTS, prevalence=0.4, n_bootstrap=100)
    assert stated.net_benefit == pytest.approx(own.net_benefit)
    assert stated.treat_all == pytest.approx(own.treat_all)


def test_it_equals_counting_at_every_threshold() -> None:
    made = synthetic_predictions()
    p, positive = np.round(made.probabilities[:, 2], 2), made.truth == 2  # many lie on a threshold
    curve = decision_curve(p, positive, made.frame["patient_id"], n_bootstrap=100)
    assert curve.net_benefit == pytest.approx([by_counting(p, positive, t) for t in THRESHOLDS])
    assert curve.treat_all == pytest.approx([by_counting(np.ones(120), positive, t) for t in THRESHOLDS])
    assert (curve.net_benefit <= curve.prevalence).all()


def test_the_band_has_the_width_of_counting_resampled_patients() -> None:
    made = synthetic_predictions(n_images=300)
    p, positive, patients = made.probabilities[:, 2], made.truth == 2, made.frame["patient_id"].to_numpy()
    curve = decision_curve(p, positive, patients, thresholds=np.array([0.3]), n_bootstrap=1000)
    random, images = (
        np.random.default_rng(9),
        [np.flatnonzero(patients == name) for name in np.unique(patients)],
    )
    replicates = []
    for _ in range(600):
        drawn = np.concatenate([images[i] for i in random.integers(len(images), size=len(images))])
        replicates.append(by_counting(p[drawn], positive[drawn], 0.3))
    lower, upper = np.percentile(replicates, [2.5, 97.5])
    assert (curve.lower.item(), curve.upper.item()) == pytest.approx((lower, upper), abs=0.012)
    assert curve.lower.item() < curve.net_benefit.item() < curve.upper.item()


def test_one_patient_gives_no_band() -> None:
    curve = decision_curve(PROBABILITIES, POSITIVE, np.where(POSITIVE, 0, PATIENTS), n_bootstrap=100)
    assert np.isnan(curve.lower).all()
    assert np.isnan(curve.upper).all()
    record = json.loads(json.dumps(curve.as_dict(), allow_nan=False))
    assert record["lower"][0] is None
    assert record["net_benefit"] == pytest.approx(curve.net_benefit)


def test_each_reported_class_has_a_curve_at_its_prevalence() -> None:
    made = synthetic_predictions()
    curves = decision_curves(made, prevalences={"covid19": 0.02}, n_bootstrap=100)
    assert list(curves) == list(CLASSES)
    assert curves["covid19"].prevalence == 0.02
    assert curves["no_finding"].prevalence == pytest.approx((made.truth == 0).mean())
    valid = decision_curves(synthetic_predictions(("non_valid", "valid")), n_bootstrap=100)
    assert list(valid) == ["valid"]


def test_a_class_without_an_image_has_no_curve() -> None:
    made = synthetic_predictions()
    assert list(decision_curves(made.take(pd.Series(made.truth != 1)), n_bootstrap=100)) == [
        "no_finding",
        "covid19",
    ]
    with pytest.raises(DataSetError, match="got 0 and 10"):
        decision_curve(PROBABILITIES, np.zeros(10, dtype=np.bool_), PATIENTS)


def test_curves_of_the_same_images_differ_by_the_probabilities_only() -> None:
    made = synthetic_predictions()
    overconfident = made.probabilities**8
    overconfident /= overconfident.sum(axis=1, keepdims=True)
    plain, worse = (
        decision_curves(p, n_bootstrap=100)["covid19"]
        for p in (made, replace(made, probabilities=overconfident))
    )
    assert plain.treat_all == pytest.approx(worse.treat_all)
    assert plain.net_benefit.mean() > worse.net_benefit.mean(), "miscalibration costs nothing"


@pytest.mark.parametrize("thresholds", [[], [0.0, 0.5], [0.5, 1.0], [0.5, 0.4], [0.5, 0.5]])
def test_impossible_thresholds_are_refused(thresholds: list[float]) -> None:
    with pytest.raises(UsageError, match="must rise within"):
        decision_curve(PROBABILITIES, POSITIVE, PATIENTS, thresholds=np.array(thresholds))


def test_impossible_prevalences_and_too_few_resamplings_are_refused() -> None:
    for prevalence in (0.0, 1.0, 1.4):
        with pytest.raises(UsageError, match=f"got {prevalence}"):
            decision_curve(PROBABILITIES, POSITIVE, PATIENTS, prevalence=prevalence)
    with pytest.raises(UsageError, match="100 or more bootstrap resamplings, got 9"):
        decision_curve(PROBABILITIES, POSITIVE, PATIENTS, n_bootstrap=9)
