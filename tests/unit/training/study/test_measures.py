"""Numbers under their published names, against scikit-learn and statsmodels."""

import numpy as np
import pytest
from sklearn import metrics
from statsmodels.stats.proportion import proportion_confint

from tests.support.predictions import synthetic_predictions
from training.evaluate.evaluation import evaluate
from training.evaluate.intervals import Estimate, wilson_estimate
from training.evaluate.metrics import Floats, Integers
from training.study.measures import counted_once, estimates_by_name, measure_names
from training.train.published import METRICS


def values_of(labels: tuple[str, ...]) -> tuple[dict[str, float | None], Integers, Integers, Floats]:
    predictions = synthetic_predictions(labels, n_images=200)
    scope = evaluate(predictions, n_bootstrap=100).whole
    values = {name: estimate.value for name, estimate in estimates_by_name(scope, labels).items()}
    return values, predictions.truth, predictions.decided, predictions.probabilities


def test_three_classes_agree_with_scikit_learn() -> None:
    labels = ("no_finding", "lung_opacity", "covid19")
    values, truth, decided, probabilities = values_of(labels)
    expected = {
        "accuracy": metrics.accuracy_score(truth, decided),
        "accuracy_2_class": metrics.accuracy_score(truth == 2, decided == 2),
        "macro_precision": metrics.precision_score(truth, decided, average="macro"),
        "macro_sensitivity": metrics.recall_score(truth, decided, average="macro"),
        "macro_f1": metrics.f1_score(truth, decided, average="macro"),
        "auroc": metrics.roc_auc_score(truth, probabilities, multi_class="ovr"),
    }
    specificities = []
    for k, label in enumerate(labels):
        one, said = truth == k, decided == k
        specificities.append(metrics.recall_score(~one, ~said))
        expected |= {
            f"{label}.sensitivity": metrics.recall_score(one, said),
            f"{label}.specificity": specificities[-1],
            f"{label}.precision": metrics.precision_score(one, said),
            f"{label}.f1": metrics.f1_score(one, said),
            f"{label}.auroc": metrics.roc_auc_score(one, probabilities[:, k]),
        }
    expected["macro_specificity"] = np.mean(specificities)
    assert values == pytest.approx(expected)
    assert set(values) == set(measure_names(labels))


def test_of_two_classes_the_second_needs_no_name() -> None:
    labels = ("other", "covid19")
    values, truth, decided, probabilities = values_of(labels)
    assert values["sensitivity"] == values["covid19.sensitivity"] == metrics.recall_score(truth, decided)
    assert values["specificity"] == pytest.approx(metrics.recall_score(truth == 0, decided == 0))
    assert values["auroc"] == pytest.approx(metrics.roc_auc_score(truth, probabilities[:, 1]))
    assert values["accuracy_2_class"] == values["accuracy"]


def test_every_metric_that_a_recipe_may_publish_has_a_number() -> None:
    for labels in (("no_finding", "lung_opacity", "covid19"), ("non_valid", "valid")):
        bare = {name.rpartition(".")[2] for name in measure_names(labels)}
        assert set(METRICS) <= bare


def test_images_that_several_networks_saw_count_once() -> None:
    said = wilson_estimate(160, 200)  # of 50 images, by four networks
    once = counted_once("accuracy", said, 0.25)
    assert (once.value, once.n, once.method) == (0.8, 50, "wilson")
    assert (once.lower, once.upper) == pytest.approx(proportion_confint(40, 50, method="wilson"))
    assert counted_once("accuracy", said, 1.0) is said


def test_a_bootstrap_of_patients_keeps_its_interval_and_an_f1_of_wilson_loses_it() -> None:
    auroc = Estimate(0.9, 0.8, 0.95, 200, "patient_bootstrap")
    assert counted_once("auroc", auroc, 0.5) == Estimate(0.9, 0.8, 0.95, 100, "patient_bootstrap")
    f1 = Estimate(1.0, 0.9, 1.0, 200, "wilson")
    assert counted_once("covid19.f1", f1, 0.5) == Estimate(1.0, None, None, 100, "none")
