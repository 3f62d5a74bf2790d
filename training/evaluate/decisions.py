"""The decision rules: chosen on validation, kept as tags of the training run, applied as in serving.

A run's tags hold one rule: a threshold on the second of two classes, the operating point of the contract's
labels, or, for other labels, the most probable class.
"""

import json
from collections.abc import Mapping
from math import isfinite

import numpy as np

from hilum.contract import FILTER, FINDINGS, LABELS
from hilum.errors import UsageError
from hilum.operating_point import OperatingPoint
from training.evaluate.calibration import calibrated_probabilities, fit_temperature
from training.evaluate.metrics import Floats, Integers, youden_threshold

THRESHOLD_TAG = "hilum.threshold"
"""The threshold on the probability of the second of two classes: the filter's `valid`."""

OPERATING_POINT_TAG = "hilum.operating_point"
"""The classifier's thresholds, as a JSON object of finding to threshold."""

ARGMAX_TAG = "hilum.argmax"
"""`true` where the most probable class is decided, whatever thresholds there are."""

TEMPERATURE_TAG = "hilum.temperature"
"""What the logits are divided by before the softmax."""


def choose_decision(
    model: str, truth: Integers, logits: Floats, labels: tuple[str, ...] = LABELS
) -> dict[str, str]:
    """Return the tags of the temperature, and of the rule that maximises Youden's J at that temperature.

    J = sensitivity + specificity - 1, of each finding of the contract, or of the second of two classes. Three
    or more classes that are not the contract's have no thresholds: the most probable is decided.

    Args:
        model: `xray_filter` or `xray_classifier`.
        truth: (N,) true classes of the validation split.
        logits: (N, K) of the same images, before any temperature.
        labels: names of the K classes of a classifier.

    Raises:
        DataSetError: a logit is NaN or infinite, or a class has no image.
    """
    temperature = fit_temperature(logits, truth)
    tags = {TEMPERATURE_TAG: repr(temperature)}
    probabilities = calibrated_probabilities(logits, temperature)
    if model == FILTER or len(labels) == 2:
        return tags | {THRESHOLD_TAG: repr(youden_threshold(probabilities[:, 1], truth == 1))}
    if labels != LABELS:
        return tags | {ARGMAX_TAG: "true"}
    thresholds = {
        finding: youden_threshold(probabilities[:, LABELS.index(finding)], truth == LABELS.index(finding))
        for finding in FINDINGS
    }
    return tags | {OPERATING_POINT_TAG: json.dumps(thresholds)}


def temperature_of(tags: Mapping[str, str]) -> float:
    """Return the temperature of a training run; 1 where it was trained without one.

    Raises:
        UsageError: the tag holds no positive number.
    """
    text = tags.get(TEMPERATURE_TAG, "1.0")
    try:
        temperature = float(text)
    except ValueError:
        temperature = float("nan")
    if not (isfinite(temperature) and temperature > 0):
        raise UsageError(
            f"The run's tag {TEMPERATURE_TAG} must be a positive number, found {text!r}. Mend it in MLflow, "
            "or delete it: the probabilities are then not recalibrated."
        )
    return temperature


def decide(model: str, tags: Mapping[str, str], probabilities: Floats) -> Integers:
    """Return (N,) the class that serving would report for each row of (N, K) probabilities.

    Raises:
        UsageError: the tags hold no rule.
    """
    if ARGMAX_TAG in tags:
        return argmax_decision(probabilities)
    if OPERATING_POINT_TAG in tags:
        rule = OperatingPoint(json.loads(tags[OPERATING_POINT_TAG]))
        findings = [rule.finding([float(p) for p in row]) for row in probabilities]
        return np.array([LABELS.index(finding or LABELS[0]) for finding in findings], dtype=np.int64)
    if THRESHOLD_TAG in tags:
        decided: Integers = (probabilities[:, 1] >= float(tags[THRESHOLD_TAG])).astype(np.int64)
        return decided
    raise UsageError(
        f"The run of {model} has no decision rule: expected one of the tags {OPERATING_POINT_TAG}, "
        f"{THRESHOLD_TAG} and {ARGMAX_TAG}. It did not finish; run the same `hilum train` to go on."
    )


def argmax_decision(probabilities: Floats) -> Integers:
    """Return (N,) the most probable class, the first of several: how the papers decide."""
    decided: Integers = probabilities.argmax(axis=1)
    return decided
