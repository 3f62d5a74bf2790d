"""Rates and averages against scikit-learn, and against the table they were published in."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import (
    balanced_accuracy_score,
    multilabel_confusion_matrix,
    precision_recall_fscore_support,
)

from training.evaluate.averages import class_rates, macro_averages
from training.evaluate.metrics import Floats, Integers, confusion_matrices

CLASSES = range(3)


@given(
    arrays(np.int64, 30, elements=st.integers(0, 2)),
    arrays(np.int64, 30, elements=st.integers(0, 2)),
    arrays(np.float64, (2, 30), elements=st.sampled_from([0.0, 1.0, 2.5])),
)
def test_rates_and_averages_equal_scikit_learn(truth: Integers, decided: Integers, weights: Floats) -> None:
    assume(weights.any(axis=1).all())  # scikit-learn refuses images that do not count at all
    matrices = confusion_matrices(truth, decided, 3, weights)
    rates, averages = class_rates(matrices), macro_averages(matrices)
    for row, drawn in enumerate(weights):
        options = {"sample_weight": drawn, "labels": list(CLASSES)}
        precision, recall, f1, _ = precision_recall_fscore_support(
            truth, decided, zero_division=np.nan, **options
        )
        cells = multilabel_confusion_matrix(truth, decided, **options)
        others = cells[:, 0].sum(axis=1)
        specificity = np.where(others > 0, cells[:, 0, 0] / np.maximum(others, 1e-300), np.nan)
        for rate, average, expected in (
            (rates["precision"], averages["macro_precision"], precision),
            (rates["recall"], averages["macro_recall"], recall),
            (rates["specificity"], averages["macro_specificity"], specificity),
        ):
            np.testing.assert_allclose(rate[row], expected, atol=1e-12)
            np.testing.assert_allclose(average[row], np.mean(expected), atol=1e-12)
        present = cells[:, 1].sum(axis=1) + cells[:, 0, 1] > 0  # scikit-learn gives 0 to the others
        np.testing.assert_allclose(rates["f1"][row], np.where(present, f1, np.nan), atol=1e-12)
        if not np.isnan(recall).any():
            kept = drawn > 0
            balanced = balanced_accuracy_score(truth[kept], decided[kept], sample_weight=drawn[kept])
            assert averages["macro_recall"][row] == pytest.approx(balanced)


def test_the_f1_of_averages_is_not_the_average_of_f1() -> None:
    # By hand: precision 1/2 and 1, recall 1 and 1/2, so F1 2/3 twice, but 3/4 of the means.
    averages = macro_averages(np.array([[[1.0, 0.0], [1.0, 1.0]]]))
    assert averages["macro_f1"][0] == pytest.approx(2 / 3)
    assert averages["macro_f1_of_means"][0] == pytest.approx(3 / 4)


def test_civit_masot_calls_the_rates_of_single_classes_micro_averages() -> None:
    # Recall of each class in table 3, and the macro recall of the same model in table 2.
    recall, published = np.array([0.96, 0.93, 0.69]), 0.86
    confusion = np.diag(recall) + np.roll(np.diag(1 - recall), 1, axis=1)  # errors go to the next class
    assert macro_averages(confusion[None])["macro_recall"][0] == pytest.approx(published, abs=0.005)


def test_a_class_that_is_never_decided_has_no_precision() -> None:
    rates = class_rates(np.array([[[3.0, 0.0], [2.0, 0.0]]]))
    assert np.isnan(rates["precision"][0, 1])
    assert (rates["f1"][0, 1], rates["recall"][0, 1]) == (0, 0)
    assert np.isnan(macro_averages(np.array([[[3.0, 0.0], [2.0, 0.0]]]))["macro_precision"][0])
