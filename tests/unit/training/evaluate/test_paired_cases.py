from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hilum.errors import UsageError
from tests.support.paired_predictions import shuffled
from tests.support.predictions import synthetic_predictions
from training.evaluate.paired_cases import pair
from training.evaluate.predictions import Predictions

FILTER_LABELS = ("non_valid", "valid")


def test_cases_are_matched_whatever_their_order() -> None:
    a, b = synthetic_predictions(skill=1), synthetic_predictions(skill=2)
    cases = pair(a, shuffled(b))
    assert (cases.truth == b.truth).all()
    assert (cases.probabilities[0] == a.probabilities).all()
    assert (cases.probabilities[1] == b.probabilities).all()
    assert (cases.decided[1] == b.decided).all()
    assert (cases.sources == a.frame["source"]).all()
    assert len(np.unique(cases.patients)) == 60
    assert (
        cases.n_patients(cases.sources == "north")
        == a.frame.query("source == 'north'")["patient_id"].nunique()
    )


def test_a_turned_copy_is_a_case_of_its_own() -> None:
    stored = synthetic_predictions(FILTER_LABELS, n_images=20)
    copies = stored.frame.assign(kind="rotated_cxr")
    both = Predictions(
        FILTER_LABELS,
        np.r_[stored.truth, 0 * stored.truth],
        np.r_[stored.probabilities, stored.probabilities[::-1]],
        np.r_[stored.decided, stored.decided],
        pd.concat([stored.frame, copies], ignore_index=True),
    )
    cases = pair(both, shuffled(both))
    assert (cases.probabilities[1] == both.probabilities).all()


def test_taken_cases_stay_paired() -> None:
    a, b = synthetic_predictions(skill=1), synthetic_predictions(skill=2)
    cases = pair(a, shuffled(b))
    rows = cases.sources == "south"
    some = cases.take(rows)
    assert (some.probabilities[1] == b.probabilities[rows]).all()
    assert (some.truth == a.truth[rows]).all()
    assert (some.patients == cases.patients[rows]).all()


def test_other_cases_are_refused_with_their_number() -> None:
    a = synthetic_predictions()
    fewer = a.take(pd.Series(np.arange(120) < 117))
    with pytest.raises(UsageError, match=r"3 of the 120 of A are not among B's, and 0 of the 117 of B"):
        pair(a, fewer)
    elsewhere = replace(fewer, frame=fewer.frame.assign(path=["x.png", *fewer.frame["path"][1:]]))
    with pytest.raises(UsageError, match=r"4 of the 120 .* and 1 of the 117 .* such as images/0\.png"):
        pair(a, elsewhere)


@pytest.mark.parametrize(
    ("column", "change"),
    [("patient_id", "other"), ("source", "elsewhere")],
)
def test_another_patient_or_source_is_refused(column: str, change: str) -> None:
    a = synthetic_predictions()
    values = a.frame[column].tolist()
    values[7] = change
    b = replace(a, frame=a.frame.assign(**{column: values}))
    with pytest.raises(
        UsageError, match=rf"1 of 120 cases have another {column} in A than in B, first images/7.png"
    ):
        pair(a, shuffled(b))


def test_other_labels_are_refused_with_their_number() -> None:
    a = synthetic_predictions()
    truth = a.truth.copy()
    truth[[3, 5]] = (truth[[3, 5]] + 1) % 3
    with pytest.raises(
        UsageError, match=r"2 of 120 cases have another label in A than in B, first images/3\.png"
    ):
        pair(a, replace(a, truth=truth))


def test_other_classes_are_refused() -> None:
    a, b = synthetic_predictions(), synthetic_predictions(FILTER_LABELS)
    with pytest.raises(
        UsageError, match="A tells no_finding, lung_opacity, covid19 apart and B non_valid, valid"
    ):
        pair(a, b)


def test_a_case_that_stands_twice_is_refused() -> None:
    a = synthetic_predictions()
    twice = replace(a, frame=a.frame.assign(path=["images/1.png", *a.frame["path"][1:]], kind="ct"))
    with pytest.raises(UsageError, match=r"B holds 1 of its 120 cases twice, first images/1\.png"):
        pair(a, twice)
