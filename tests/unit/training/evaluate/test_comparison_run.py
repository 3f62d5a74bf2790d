from dataclasses import replace

import pytest

from hilum.errors import UsageError
from tests.support.paired_predictions import disturbed
from tests.support.predictions import synthetic_predictions
from training.evaluate.comparison import compare
from training.evaluate.comparison_run import StoredEvaluation, compare_evaluations

A = StoredEvaluation("a" * 32, "first (aaaaaaaa)", synthetic_predictions(), "digest")
B = StoredEvaluation("b" * 32, "second (bbbbbbbb)", disturbed(A.predictions, spread=1.0), "digest")


def test_stored_predictions_are_compared_as_any() -> None:
    found = compare_evaluations(A, B, n_bootstrap=100)
    assert found == compare(A.predictions, B.predictions, n_bootstrap=100)


def test_another_version_of_the_data_set_is_told_first() -> None:
    found = compare_evaluations(A, replace(B, data_digest="other"), n_bootstrap=100)
    assert found.warnings[0].startswith("The runs were evaluated on two versions of the data set.")
    assert found.warnings[1:] == compare_evaluations(A, B, n_bootstrap=100).warnings


def test_a_run_is_not_compared_with_itself() -> None:
    with pytest.raises(UsageError, match=f"Both runs are {'a' * 32}: name two different ones"):
        compare_evaluations(A, A, n_bootstrap=100)
