from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar

from tests.support.paired_predictions import disturbed
from tests.support.predictions import CLASSES, synthetic_predictions
from training.evaluate.delong import DelongAuroc, delong_test
from training.evaluate.differences import Difference
from training.evaluate.paired_cases import PairedCases, pair
from training.evaluate.paired_measures import measure_differences

FILTER_LABELS = ("non_valid", "valid")


def paired(labels: tuple[str, ...] = CLASSES, **options: int) -> PairedCases:
    a = synthetic_predictions(labels, **options)
    return pair(a, disturbed(a, spread=1.0))


def measured(cases: PairedCases, n_bootstrap: int = 100) -> dict[tuple[str, str], Difference]:
    differences = measure_differences(cases, n_bootstrap=n_bootstrap, seed=0)
    return {(difference.metric, difference.label): difference for difference in differences}


def test_values_equal_scikit_learn() -> None:
    cases = paired()
    found = measured(cases)
    expected: dict[tuple[str, str], list[float]] = {}
    for p, decided in zip(cases.probabilities, cases.decided, strict=True):
        for k, label in enumerate(CLASSES):
            positive, said = cases.truth == k, decided == k
            expected.setdefault(("auroc", label), []).append(roc_auc_score(positive, p[:, k]))
            expected.setdefault(("sensitivity", label), []).append(recall_score(positive, said))
            expected.setdefault(("specificity", label), []).append(recall_score(~positive, ~said))
        macro = roc_auc_score(cases.truth, p, multi_class="ovr", average="macro")
        expected.setdefault(("macro_auroc", ""), []).append(macro)
        expected.setdefault(("accuracy", ""), []).append(accuracy_score(cases.truth, decided))
    assert list(found) == [
        *((metric, label) for label in CLASSES for metric in ("auroc", "sensitivity", "specificity")),
        ("macro_auroc", ""),
        ("accuracy", ""),
    ]
    for key, (a, b) in expected.items():
        assert (found[key].a, found[key].b, found[key].value) == pytest.approx((a, b, b - a)), key


def test_p_values_and_discordant_cases_equal_other_implementations() -> None:
    cases = paired()
    found = measured(cases)
    a, b = cases.decided
    positive = cases.truth == 2
    table = np.array([[0, 0], [0, 0]])
    np.add.at(table, ((a == 2)[positive].astype(int), (b == 2)[positive].astype(int)), 1)
    sensitivity = found["sensitivity", "covid19"]
    assert (sensitivity.only_a, sensitivity.only_b) == (table[1, 0], table[0, 1])
    assert sensitivity.p_value == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert (sensitivity.n, sensitivity.n_patients) == (positive.sum(), len(set(cases.patients[positive])))
    assert sensitivity.test == "mcnemar"
    delong = delong_test(*(DelongAuroc.of(p[:, 2], positive) for p in cases.probabilities))
    auroc = found["auroc", "covid19"]
    assert (auroc.test_lower, auroc.test_upper, auroc.p_value) == (delong.lower, delong.upper, delong.p_value)
    assert (auroc.test, auroc.only_a, auroc.only_b) == ("delong", None, None)


def test_with_one_image_per_patient_the_bootstrap_agrees_with_the_tests() -> None:
    cases = paired(n_images=600)
    alone = replace(cases, patients=np.arange(600))
    for key, found in measured(alone, n_bootstrap=1000).items():
        assert None not in (found.lower, found.upper, found.test_lower, found.test_upper)
        width = found.upper - found.lower  # type: ignore[operator]  # not None, by the line above
        assert width == pytest.approx(found.test_upper - found.test_lower, rel=0.15), key  # type: ignore[operator]


def test_images_of_one_patient_widen_the_bootstrap_only() -> None:
    cases = paired(n_images=300)
    cases = replace(cases, patients=np.arange(300))
    copies = PairedCases(
        cases.labels,
        np.tile(cases.truth, 4),
        np.tile(cases.patients, 4),
        np.tile(cases.sources, 4),
        (np.tile(cases.probabilities[0], (4, 1)), np.tile(cases.probabilities[1], (4, 1))),
        (np.tile(cases.decided[0], 4), np.tile(cases.decided[1], 4)),
    )
    once, four_times = (measured(of, n_bootstrap=400)["macro_auroc", ""] for of in (cases, copies))
    assert four_times.value == pytest.approx(once.value)
    assert (four_times.lower, four_times.upper) == pytest.approx((once.lower, once.upper))
    assert once.p_value is not None
    assert four_times.p_value is not None
    assert four_times.p_value < once.p_value, "DeLong's test was not fooled, so nobody need be warned"


def test_the_filter_reports_its_second_class() -> None:
    assert list(measured(paired(FILTER_LABELS))) == [
        ("auroc", "valid"),
        ("sensitivity", "valid"),
        ("specificity", "valid"),
        ("accuracy", ""),
    ]


def test_a_missing_class_is_not_defined_and_the_rest_is() -> None:
    cases = paired()
    found = measured(cases.take(cases.truth != 1))
    for key in (("auroc", "lung_opacity"), ("sensitivity", "lung_opacity"), ("macro_auroc", "")):
        difference = found[key]
        assert (difference.a, difference.value, difference.lower, difference.p_value) == (
            None,
            None,
            None,
            None,
        )
    assert found["sensitivity", "lung_opacity"].n == 0
    assert found["specificity", "lung_opacity"].value is not None
    assert found["auroc", "covid19"].lower is not None


def test_a_class_of_one_case_has_a_value_without_an_interval() -> None:
    cases = paired()
    first = np.flatnonzero(cases.truth == 1)[0]
    found = measured(cases.take((cases.truth != 1) | (np.arange(120) == first)))
    auroc = found["auroc", "lung_opacity"]
    assert auroc.value is not None
    assert (auroc.lower, auroc.test_lower, auroc.p_value) == (None, None, None)


def test_a_network_against_itself_differs_in_nothing() -> None:
    a = synthetic_predictions()
    for difference in measured(pair(a, a)).values():
        assert difference.value == 0
        assert difference.favours is None
        assert (difference.only_a, difference.only_b) in ((0, 0), (None, None))
