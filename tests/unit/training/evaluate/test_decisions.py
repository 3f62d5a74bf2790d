"""Decision rules chosen on validation are those that serving applies."""

import json

import numpy as np
import pytest

from hilum.contract import CLASSIFIER, FILTER, LABELS
from hilum.errors import UsageError
from hilum.operating_point import OperatingPoint
from training.errors import DataSetError
from training.evaluate.calibration import calibrated_probabilities, fit_temperature
from training.evaluate.decisions import (
    ARGMAX_TAG,
    OPERATING_POINT_TAG,
    TEMPERATURE_TAG,
    THRESHOLD_TAG,
    argmax_decision,
    choose_decision,
    decide,
    temperature_of,
)
from training.evaluate.metrics import Floats, Integers, youden_threshold


def answers(n: int, n_classes: int, *, skill: float = 2.0) -> tuple[Integers, Floats]:
    """Return classes and logits, some of which put an image wrong."""
    random = np.random.default_rng(0)
    truth = random.integers(0, n_classes, n)
    return truth, random.normal(size=(n, n_classes)) + skill * np.eye(n_classes)[truth]


def test_filter_threshold_separates_what_can_be_separated() -> None:
    probability = np.array([0.1, 0.2, 0.3, 0.8, 0.9])
    truth = np.array([0, 0, 0, 1, 1])
    probabilities = np.stack([1 - probability, probability], axis=1)
    tags = choose_decision(FILTER, truth, np.log(probabilities))
    assert float(tags[THRESHOLD_TAG]) == pytest.approx(0.55)
    assert temperature_of(tags) == 1  # five images that are all put right say nothing of it
    assert decide(FILTER, tags, probabilities).tolist() == truth.tolist()


def test_classifier_decides_as_the_operating_point_does() -> None:
    truth, logits = answers(200, 3)
    tags = choose_decision(CLASSIFIER, truth, logits)
    assert set(tags) == {TEMPERATURE_TAG, OPERATING_POINT_TAG}
    probabilities = calibrated_probabilities(logits, temperature_of(tags))
    rule = OperatingPoint(json.loads(tags[OPERATING_POINT_TAG]))
    decided = decide(CLASSIFIER, tags, probabilities)
    assert [LABELS[k] for k in decided] == [rule.finding(row.tolist()) for row in probabilities]
    assert (decided == truth).mean() > 0.7


def test_thresholds_are_chosen_on_the_recalibrated_probabilities() -> None:
    truth, logits = answers(300, 3)
    tags = choose_decision(CLASSIFIER, truth, 4 * logits)
    temperature = temperature_of(tags)
    assert temperature == fit_temperature(4 * logits, truth)
    assert temperature > 2
    thresholds = json.loads(tags[OPERATING_POINT_TAG])
    recalibrated = calibrated_probabilities(4 * logits, temperature)
    assert thresholds["covid19"] == youden_threshold(recalibrated[:, 2], truth == 2)
    # The scale of the logits is the temperature's business: the thresholds stay.
    other = json.loads(choose_decision(CLASSIFIER, truth, logits)[OPERATING_POINT_TAG])
    assert thresholds == pytest.approx(other, rel=1e-4)


@pytest.mark.parametrize("labels", [("other", "covid19"), ("no_finding", "lung_opacity")])
def test_two_classes_have_a_threshold_on_the_second(labels: tuple[str, ...]) -> None:
    truth, logits = answers(200, 2)
    tags = choose_decision(CLASSIFIER, truth, logits, labels)
    assert set(tags) == {TEMPERATURE_TAG, THRESHOLD_TAG}
    probabilities = calibrated_probabilities(logits, temperature_of(tags))
    threshold = youden_threshold(probabilities[:, 1], truth == 1)
    assert decide(CLASSIFIER, tags, probabilities).tolist() == (probabilities[:, 1] >= threshold).tolist()


def test_several_other_classes_are_decided_by_the_highest_probability() -> None:
    truth, logits = answers(200, 4)
    tags = choose_decision(CLASSIFIER, truth, logits, ("a", "b", "c", "d"))
    assert set(tags) == {TEMPERATURE_TAG, ARGMAX_TAG}
    probabilities = calibrated_probabilities(logits, temperature_of(tags))
    assert decide(CLASSIFIER, tags, probabilities).tolist() == logits.argmax(axis=1).tolist()
    assert argmax_decision(np.array([[0.2, 0.4, 0.4], [0.5, 0.1, 0.4]])).tolist() == [1, 0]


def test_a_run_without_a_temperature_has_one() -> None:
    assert temperature_of({}) == 1
    assert temperature_of({TEMPERATURE_TAG: "1.75"}) == 1.75


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "warm", ""])
def test_a_temperature_that_is_no_positive_number_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"hilum\.temperature must be a positive number, found"):
        temperature_of({TEMPERATURE_TAG: text})


def test_a_run_without_a_rule_is_refused() -> None:
    with pytest.raises(UsageError, match=r"xray_classifier has no decision rule: expected one of the tags"):
        decide(CLASSIFIER, {TEMPERATURE_TAG: "1.0"}, np.full((2, 3), 1 / 3))


def test_a_diverged_network_and_a_missing_class_choose_nothing() -> None:
    truth, logits = answers(50, 3)
    with pytest.raises(DataSetError, match="logits of 50 of 50 images are NaN"):
        choose_decision(CLASSIFIER, truth, logits * np.nan)
    with pytest.raises(DataSetError, match="from 0 positive and 50 negative"):
        choose_decision(CLASSIFIER, np.zeros(50, dtype=np.int64), logits)
