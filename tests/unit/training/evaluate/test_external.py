import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from statsmodels.stats.proportion import confint_proportions_2indep

from hilum.errors import UsageError
from tests.support.predictions import synthetic_predictions
from training.evaluate.evaluation import evaluate
from training.evaluate.external import (
    WHOLE,
    PerformanceDrop,
    difference_interval,
    drop_frame,
    drop_table,
    performance_drop,
)
from training.evaluate.intervals import Estimate, wilson_estimate


def stored(**options: Any) -> dict[str, Any]:
    """An evaluation as a run's `result.json` gives it back."""
    record: dict[str, Any] = json.loads(
        json.dumps(evaluate(synthetic_predictions(**options), n_bootstrap=100).as_dict())
    )
    return record


@pytest.fixture(scope="module")
def internal() -> dict[str, Any]:
    return stored(n_images=300, skill=3.0)


@pytest.fixture(scope="module")
def external() -> dict[str, Any]:
    return stored(n_images=200, skill=0.6, seed=1)


@pytest.fixture(scope="module")
def rows(internal: dict[str, Any], external: dict[str, Any]) -> tuple[PerformanceDrop, ...]:
    return performance_drop(internal, external)


@pytest.mark.parametrize(("a", "n_a", "b", "n_b"), [(56, 70, 48, 80), (10, 10, 0, 20), (29, 30, 90, 97)])
def test_proportions_should_have_newcombes_interval(a: int, n_a: int, b: int, n_b: int) -> None:
    """56/70 - 48/80 is the example (a) of Newcombe 1998, table II: 0.0524 to 0.3339."""
    found = difference_interval(wilson_estimate(a, n_a), wilson_estimate(b, n_b))
    expected = confint_proportions_2indep(a, n_a, b, n_b, method="newcomb", compare="diff")
    assert found == pytest.approx(expected)
    if a == 56:
        assert found == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_other_measures_should_add_the_squares_of_their_own_bounds() -> None:
    found = difference_interval(
        Estimate(0.95, 0.91, 0.98, 100, "patient_bootstrap"),
        Estimate(0.80, 0.68, 0.88, 60, "patient_bootstrap"),
    )
    assert found == pytest.approx((0.15 - np.hypot(0.04, 0.08), 0.15 + np.hypot(0.03, 0.12)))


def test_the_interval_should_hold_the_true_difference_19_times_in_20() -> None:
    random = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        first = wilson_estimate(int(random.binomial(90, 0.92)), 90)
        second = wilson_estimate(int(random.binomial(60, 0.75)), 60)
        lower, upper = difference_interval(first, second) or (1, -1)
        held += lower <= 0.17 <= upper
    assert 0.93 <= held / 1000 <= 0.98


def test_each_metric_should_be_compared_with_the_whole_internal_split(
    rows: tuple[PerformanceDrop, ...], internal: dict[str, Any], external: dict[str, Any]
) -> None:
    whole = {(row.label, row.metric): row for row in rows if row.scope == WHOLE}
    assert {metric for label, metric in whole if label} == {"auroc", "sensitivity", "specificity"}
    assert {metric for label, metric in whole if not label} == {
        "accuracy",
        "balanced_accuracy",
        "macro_auroc",
    }
    row = whole["covid19", "sensitivity"]
    before, after = (part["whole"]["per_class"]["covid19"]["sensitivity"] for part in (internal, external))
    assert row.internal == Estimate(**before)
    assert row.external == Estimate(**after)
    assert row.drop == pytest.approx(before["value"] - after["value"])
    assert row.is_certain
    auroc = whole["", "macro_auroc"]
    assert auroc.lower is not None
    assert auroc.lower > 0  # a network of skill 3 against one of 0.6


def test_sources_should_follow_without_what_they_cannot_show(rows: tuple[PerformanceDrop, ...]) -> None:
    scopes = list(dict.fromkeys(row.scope for row in rows))
    assert scopes == [WHOLE, "north", "one_class", "south"]
    alone = {(row.label, row.metric) for row in rows if row.scope == "one_class"}
    assert ("covid19", "sensitivity") in alone  # it holds no image of another class
    assert not {("covid19", "auroc"), ("lung_opacity", "sensitivity")} & alone


def test_a_set_against_itself_should_drop_by_nothing(internal: dict[str, Any]) -> None:
    for row in performance_drop(internal, internal):
        if row.scope == WHOLE:
            assert row.drop == 0
            assert not row.is_certain


def test_an_estimate_without_interval_should_give_a_drop_without_one() -> None:
    certain = Estimate(1.0, 1.0, 1.0, 9, "wilson")
    assert difference_interval(certain, Estimate(0.5, None, None, 2, "none")) is None
    assert difference_interval(Estimate(None, None, None, 0, "none"), certain) is None


def test_other_classes_should_be_refused(internal: dict[str, Any], external: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="about non_valid, valid"):
        performance_drop(internal, external | {"labels": ["non_valid", "valid"]})


def test_the_table_should_show_every_row_and_mark_certain_drops(rows: tuple[PerformanceDrop, ...]) -> None:
    console = Console(width=140, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(drop_table(rows))
    text = capture.get()
    for row in rows:
        assert str(row) in text
    assert "covid19 sensitivity" in text
    assert "macro AUROC" in text


def test_the_frame_should_hold_every_number(rows: tuple[PerformanceDrop, ...]) -> None:
    frame = drop_frame(rows)
    assert len(frame) == len(rows)
    first = frame.iloc[0]
    assert first["internal"] == rows[0].internal.value
    assert first["external_upper"] == rows[0].external.upper
    assert first["external_n"] == rows[0].external.n
    assert (first["drop"], first["lower"], first["upper"]) == (rows[0].drop, rows[0].lower, rows[0].upper)


def test_a_drop_should_read_as_a_signed_number(rows: tuple[PerformanceDrop, ...]) -> None:
    row = replace(rows[0], drop=0.12, lower=0.031, upper=0.209)
    assert str(row) == "+0.120 (+0.031 to +0.209)"
    assert str(replace(row, lower=None, upper=None)) == "+0.120"
    assert str(replace(row, drop=None)) == "not defined"
