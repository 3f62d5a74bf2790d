"""The decision rules: chosen on validation, kept as tags of the training run, applied as in serving."""

import json
from collections.abc import Mapping

import numpy as np

from hilum.contract import FILTER, FINDINGS, LABELS
from hilum.operating_point import OperatingPoint
from training.evaluate.metrics import Floats, Integers, youden_threshold

THRESHOLD_TAG = "hilum.threshold"
"""The filter's threshold on the probability of being valid."""

OPERATING_POINT_TAG = "hilum.operating_point"
"""The classifier's thresholds, as a JSON object of finding to threshold."""


def choose_decision(model: str, truth: Integers, probabilities: Floats) -> dict[str, str]:
    """Return the tags of the rule that maximises Youden's J = sensitivity + specificity - 1.

    Args:
        model: `xray_filter` or `xray_classifier`.
        truth: (N,) true classes of the validation split.
        probabilities: (N, K) probabilities of the same images.
    """
    if model == FILTER:
        return {THRESHOLD_TAG: repr(youden_threshold(probabilities[:, 1], truth == 1))}
    thresholds = {
        finding: youden_threshold(probabilities[:, LABELS.index(finding)], truth == LABELS.index(finding))
        for finding in FINDINGS
    }
    return {OPERATING_POINT_TAG: json.dumps(thresholds)}


def decide(model: str, tags: Mapping[str, str], probabilities: Floats) -> Integers:
    """Return (N,) the class that serving would report for each row of (N, K) probabilities."""
    if model == FILTER:
        decided: Integers = (probabilities[:, 1] >= float(tags[THRESHOLD_TAG])).astype(np.int64)
        return decided
    rule = OperatingPoint(json.loads(tags[OPERATING_POINT_TAG]))
    findings = [rule.finding([float(p) for p in row]) for row in probabilities]
    return np.array([LABELS.index(finding or LABELS[0]) for finding in findings], dtype=np.int64)
