import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hilum.errors import UsageError
from tests.support.paired_predictions import disturbed, shuffled
from tests.support.predictions import CLASSES, synthetic_predictions
from training.evaluate.comparison import Comparison, compare
from training.evaluate.differences import holm
from training.evaluate.paired_cases import pair
from training.evaluate.paired_measures import measure_differences
from training.evaluate.predictions import Predictions

FILTER_LABELS = ("non_valid", "valid")


def quick(a: Predictions, b: Predictions) -> Comparison:
    return compare(a, b, n_bootstrap=100)


def of_many_patients(n_images: int = 400) -> Predictions:
    """Return predictions of patients with one image each, in two sources."""
    made = synthetic_predictions(n_images=n_images)
    frame = made.frame.assign(
        patient_id=[f"p{i}" for i in range(n_images)],
        source=np.where(np.arange(n_images) % 2, "north", "south"),
    )
    return replace(made, frame=frame)


def test_the_better_network_is_preferred_and_the_order_of_the_two_only_turns_the_sign() -> None:
    a = of_many_patients()
    b = disturbed(a, spread=2.0)
    comparison, turned = quick(a, b), quick(shuffled(b), a)
    assert comparison.verdict.preferred == "a"
    assert turned.verdict.preferred == "b"
    assert comparison.headline.metric == "macro_auroc"
    assert comparison.headline.value == pytest.approx(-(turned.headline.value or 0))
    assert comparison.headline.p_value == pytest.approx(turned.headline.p_value)
    assert (comparison.n_images, comparison.n_patients) == (400, 400)
    assert comparison.warnings == ()


def test_a_small_difference_is_left_open() -> None:
    a = of_many_patients()
    verdict = quick(a, disturbed(a, spread=0.05)).verdict
    assert verdict.preferred is None
    assert verdict.sentence.startswith("Cannot tell: the interval holds 0;")


def test_each_source_is_compared_by_itself() -> None:
    a = synthetic_predictions()
    b = disturbed(a, spread=1.0)
    comparison = quick(a, b)
    assert list(comparison.sources) == ["north", "one_class", "south"]
    cases = pair(a, b)
    alone = measure_differences(cases.take(cases.sources == "north"), n_bootstrap=100, seed=0)
    assert [replace(d, p_adjusted=None) for d in comparison.sources["north"]] == list(alone)
    macro = next(d for d in comparison.sources["one_class"] if d.metric == "macro_auroc")
    assert (macro.value, macro.n > 0) == (None, True)


def test_p_values_are_adjusted_over_all_cases_and_over_all_sources() -> None:
    a = synthetic_predictions()
    comparison = quick(a, disturbed(a, spread=1.0))
    assert [d.p_adjusted for d in comparison.whole] == holm([d.p_value for d in comparison.whole])
    of_sources = [d for source in comparison.sources.values() for d in source]
    assert [d.p_adjusted for d in of_sources] == holm([d.p_value for d in of_sources])


def test_what_weakens_the_numbers_is_said() -> None:
    a = synthetic_predictions(n_images=60)
    told = " ".join(quick(a, disturbed(a, spread=0.05)).warnings)
    assert "60 images come from 30 patients" in told
    for k, label in enumerate(CLASSES):
        n_patients = a.frame["patient_id"][a.truth == k].nunique()
        assert f"Only {(a.truth == k).sum()} images of {n_patients} patients are labelled {label}" in told
    assert "Fewer than 6 images are decided rightly by one network only (sensitivity no_finding" in told


def test_a_source_that_speaks_for_the_other_network_is_named() -> None:
    a = of_many_patients(900)
    worse = disturbed(a, spread=3.0)
    in_part = np.arange(900) % 3 == 0
    sources = np.where(in_part, "[clinic]", "elsewhere")
    frame = a.frame.assign(source=sources)
    rows = in_part[:, None]
    mixed_a = replace(a, frame=frame, probabilities=np.where(rows, worse.probabilities, a.probabilities))
    mixed_b = replace(a, frame=frame, probabilities=np.where(rows, a.probabilities, worse.probabilities))
    comparison = quick(mixed_a, mixed_b)
    assert comparison.verdict.preferred == "a"
    assert any("The other network is the better one within [clinic]" in told for told in comparison.warnings)


def test_two_classes_are_judged_by_the_second() -> None:
    a = synthetic_predictions(FILTER_LABELS)
    headline = quick(a, disturbed(a, spread=1.0)).headline
    assert (headline.metric, headline.label) == ("auroc", "valid")


def test_a_class_without_a_case_leaves_the_verdict_open() -> None:
    a = synthetic_predictions()
    some = a.take(pd.Series(a.truth != 1))
    comparison = quick(some, disturbed(some, spread=3.0))
    assert comparison.verdict.preferred is None
    assert "not defined, a class has no case" in comparison.verdict.sentence
    assert "Only 0 images of 0 patients are labelled lung_opacity" in " ".join(comparison.warnings)


def test_the_record_survives_json() -> None:
    a = synthetic_predictions()
    comparison = quick(a, disturbed(a, spread=1.0))
    record = json.loads(json.dumps(comparison.as_dict(), allow_nan=False))
    assert record["headline"]["value"] == comparison.headline.value
    assert record["verdict"]["sentence"] == comparison.verdict.sentence
    assert len(record["sources"]["north"]) == len(record["whole"]) == 11


def test_the_seed_fixes_the_intervals() -> None:
    a = synthetic_predictions()
    b = disturbed(a, spread=1.0)
    one, same, other = (compare(a, b, n_bootstrap=100, seed=seed).headline for seed in (1, 1, 2))
    assert one == same
    assert one.lower != other.lower


def test_too_few_resamplings_are_refused() -> None:
    a = synthetic_predictions()
    with pytest.raises(UsageError, match="100 or more bootstrap resamplings, got 99"):
        compare(a, a, n_bootstrap=99)
