"""The decision rule that training, monitor and client share."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.contract import FINDINGS, LABELS
from hilum.errors import UsageError
from hilum.operating_point import OperatingPoint

RULE = OperatingPoint({"lung_opacity": 0.4, "covid19": 0.2})
probabilities = st.lists(st.floats(0, 1), min_size=3, max_size=3)


@pytest.mark.parametrize(
    ("given_probabilities", "expected"),
    [
        ((0.9, 0.05, 0.05), "no_finding"),
        ((0.5, 0.4, 0.1), "lung_opacity"),  # exactly at the threshold
        ((0.35, 0.41, 0.24), "covid19"),  # 1.2 times its threshold against 1.025 times
        ((0.2, 0.7, 0.1), "lung_opacity"),
        ((math.nan, math.nan, math.nan), None),
    ],
)
def test_rule(given_probabilities: tuple[float, float, float], expected: str | None) -> None:
    assert RULE.finding(given_probabilities) == expected


@given(probabilities)
def test_a_finding_is_reported_exactly_when_a_threshold_is_reached(values: list[float]) -> None:
    reached = any(values[LABELS.index(finding)] >= RULE.thresholds[finding] for finding in FINDINGS)
    assert (RULE.finding(values) != "no_finding") == reached


@given(st.floats(0.001, 1), st.floats(0.001, 1))
def test_thresholds_survive_the_configuration(opacity: float, covid19: float) -> None:
    rule = OperatingPoint({"lung_opacity": opacity, "covid19": covid19})
    assert OperatingPoint.from_parameters(rule.as_parameters() | {"other": "x"}) == rule


@pytest.mark.parametrize(
    "thresholds",
    [{}, {"covid19": 0.5}, {"covid19": 0.5, "lung_opacity": 0.0}, {"covid19": 0.5, "lung_opacity": math.nan}],
)
def test_incomplete_or_impossible_thresholds_are_refused(thresholds: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="threshold"):
        OperatingPoint(thresholds)
