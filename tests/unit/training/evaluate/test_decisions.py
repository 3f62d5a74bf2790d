"""Decision rules chosen on validation are those that serving applies."""

import json

import numpy as np
import pytest

from hilum.contract import CLASSIFIER, FILTER, LABELS
from hilum.operating_point import OperatingPoint
from training.evaluate.decisions import OPERATING_POINT_TAG, THRESHOLD_TAG, choose_decision, decide

GENERATOR = np.random.default_rng(0)


def test_filter_threshold_separates_what_can_be_separated() -> None:
    probability = np.array([0.1, 0.2, 0.3, 0.8, 0.9])
    truth = np.array([0, 0, 0, 1, 1])
    tags = choose_decision(FILTER, truth, np.stack([1 - probability, probability], axis=1))
    assert float(tags[THRESHOLD_TAG]) == pytest.approx(0.55)
    decided = decide(FILTER, tags, np.stack([1 - probability, probability], axis=1))
    assert decided.tolist() == truth.tolist()


def test_classifier_decides_as_the_operating_point_does() -> None:
    truth = GENERATOR.integers(0, 3, 200)
    probabilities = GENERATOR.dirichlet((1, 1, 1), 200) + np.eye(3)[truth]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    tags = choose_decision(CLASSIFIER, truth, probabilities)
    rule = OperatingPoint(json.loads(tags[OPERATING_POINT_TAG]))
    decided = decide(CLASSIFIER, tags, probabilities)
    assert [LABELS[k] for k in decided] == [rule.finding(row.tolist()) for row in probabilities]
    assert (decided == truth).mean() > 0.8
