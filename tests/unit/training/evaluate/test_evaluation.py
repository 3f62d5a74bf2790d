import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    confusion_matrix,
    precision_score,
    recall_score,
    roc_auc_score,
)

from hilum.errors import UsageError
from tests.support.predictions import CLASSES, synthetic_predictions
from training.evaluate.evaluation import Evaluation, evaluate
from training.evaluate.intervals import Estimate, newcombe_estimate
from training.evaluate.predictions import Predictions

FILTER_LABELS = ("non_valid", "valid")


def quick(predictions: Predictions) -> Evaluation:
    return evaluate(predictions, n_bootstrap=100)


def test_three_classes_equal_scikit_learn() -> None:
    predictions = synthetic_predictions()
    truth, decided, probabilities = predictions.truth, predictions.decided, predictions.probabilities
    evaluation = quick(predictions)
    for k, label in enumerate(CLASSES):
        metrics = {name: estimate.value for name, estimate in evaluation.whole.per_class[label].items()}
        assert metrics == pytest.approx(
            {
                "sensitivity": recall_score(truth == k, decided == k),
                "specificity": recall_score(truth != k, decided != k),
                "precision": precision_score(truth == k, decided == k),
                "auroc": roc_auc_score(truth == k, probabilities[:, k]),
                "average_precision": average_precision_score(truth == k, probabilities[:, k]),
            }
        )
    assert {name: estimate.value for name, estimate in evaluation.whole.overall.items()} == pytest.approx(
        {
            "accuracy": accuracy_score(truth, decided),
            "balanced_accuracy": balanced_accuracy_score(truth, decided),
            "macro_auroc": roc_auc_score(truth, probabilities, multi_class="ovr", average="macro"),
        }
    )
    assert evaluation.headline == evaluation.whole.overall["macro_auroc"]
    assert evaluation.confusion == tuple(map(tuple, confusion_matrix(truth, decided).tolist()))
    assert (evaluation.n_images, evaluation.n_patients) == (120, 60)


def test_the_filter_reports_its_second_class() -> None:
    predictions = synthetic_predictions(FILTER_LABELS)
    evaluation = quick(predictions)
    assert list(evaluation.whole.per_class) == ["valid"]
    valid = evaluation.whole.per_class["valid"]
    assert valid["auroc"].value == pytest.approx(
        roc_auc_score(predictions.truth, predictions.probabilities[:, 1])
    )
    assert valid["sensitivity"].value == pytest.approx(recall_score(predictions.truth, predictions.decided))
    assert evaluation.headline == valid["auroc"]
    assert set(evaluation.whole.overall) == {"accuracy", "balanced_accuracy"}
    assert list(evaluation.groups) == ["source", "kind"]
    assert list(quick(synthetic_predictions()).groups) == ["source"]


def test_every_defined_interval_holds_its_value_and_says_how_it_was_made() -> None:
    whole = quick(synthetic_predictions()).whole
    for metrics in (*whole.per_class.values(), whole.overall):
        for name, estimate in metrics.items():
            assert estimate.value is not None
            assert estimate.lower is not None
            assert estimate.upper is not None
            assert 0 <= estimate.lower < estimate.value < estimate.upper <= 1
            proportion = name in {"sensitivity", "specificity", "precision", "accuracy"}
            assert estimate.method == ("wilson" if proportion else "patient_bootstrap")


def test_a_source_is_measured_as_if_it_were_the_whole_split() -> None:
    predictions = synthetic_predictions()
    alone = quick(predictions.take(predictions.frame["source"] == "north"))
    assert quick(predictions).groups["source"]["north"] == alone.whole


def test_a_source_of_one_class_has_no_auroc() -> None:
    source = quick(synthetic_predictions()).groups["source"]["one_class"]
    n = source.counts["covid19"]
    assert source.counts == {"no_finding": 0, "lung_opacity": 0, "covid19": n}
    undefined = Estimate(None, None, None, n, "none")
    assert source.per_class["covid19"]["auroc"] == undefined
    assert source.per_class["covid19"]["average_precision"] == undefined
    assert source.per_class["covid19"]["specificity"] == Estimate(None, None, None, 0, "none")
    assert source.per_class["covid19"]["sensitivity"].n == n
    assert source.overall["macro_auroc"] == undefined
    assert source.overall["balanced_accuracy"] == undefined
    assert source.overall["accuracy"].value == source.per_class["covid19"]["sensitivity"].value


def test_a_class_without_images_is_said_and_does_not_crash() -> None:
    complete = synthetic_predictions()
    predictions = complete.take(pd.Series(complete.truth != 1))
    evaluation = quick(predictions)
    absent = evaluation.whole.per_class["lung_opacity"]
    assert absent["sensitivity"] == Estimate(None, None, None, 0, "none")
    assert absent["auroc"].value is None
    assert absent["specificity"].value is not None
    assert evaluation.whole.per_class["covid19"]["auroc"].value is not None
    assert evaluation.headline.value is None
    assert any("No image is labelled lung_opacity" in warning for warning in evaluation.warnings)
    json.dumps(evaluation.as_dict(), allow_nan=False)


def test_perfect_separation_does_not_claim_certainty() -> None:
    metrics = quick(synthetic_predictions(FILTER_LABELS, skill=50)).whole.per_class["valid"]
    assert metrics["auroc"].value == 1
    assert metrics["auroc"].method == "newcombe"
    assert metrics["auroc"].lower is not None
    assert 0.8 < metrics["auroc"].lower < 1
    assert metrics["average_precision"] == Estimate(1.0, None, None, 120, "none")


def test_a_class_of_a_single_patient_is_judged_by_patients_not_images() -> None:
    predictions = synthetic_predictions(FILTER_LABELS)
    positive = predictions.truth == 1
    frame = predictions.frame.assign(patient_id=np.where(positive, "only", predictions.frame["patient_id"]))
    metrics = quick(replace(predictions, frame=frame)).whole.per_class["valid"]
    others = frame["patient_id"][~positive].nunique()
    value = roc_auc_score(predictions.truth, predictions.probabilities[:, 1])
    expected = newcombe_estimate(value, 120, n_positive=1, n_negative=others)
    assert (metrics["auroc"].lower, metrics["auroc"].upper) == pytest.approx((expected.lower, expected.upper))
    assert metrics["auroc"].method == "newcombe"
    assert metrics["average_precision"].method == "none"
    assert metrics["average_precision"].value is not None


def test_the_order_of_the_images_does_not_matter() -> None:
    predictions = synthetic_predictions()
    order = np.random.default_rng(5).permutation(len(predictions.truth))
    shuffled = Predictions(
        predictions.labels,
        predictions.truth[order],
        predictions.probabilities[order],
        predictions.decided[order],
        predictions.frame.iloc[order],
    )
    one, other = quick(predictions), quick(shuffled)
    assert other.confusion == one.confusion
    for label in CLASSES:
        for name, estimate in one.whole.per_class[label].items():
            again = other.whole.per_class[label][name]
            assert (again.value, again.lower, again.upper) == pytest.approx(
                (estimate.value, estimate.lower, estimate.upper), abs=1e-12
            )


def test_the_seed_decides_the_intervals() -> None:
    predictions = synthetic_predictions()
    assert evaluate(predictions, n_bootstrap=100, seed=1) == evaluate(predictions, n_bootstrap=100, seed=1)
    assert (
        evaluate(predictions, n_bootstrap=100, seed=1).headline
        != evaluate(predictions, n_bootstrap=100, seed=2).headline
    )


def with_sources(sources: list[str], truth: list[int]) -> Predictions:
    n = len(truth)
    frame = pd.DataFrame(
        {"path": range(n), "source": sources, "patient_id": range(n), "kind": ["frontal_cxr"] * n}
    )
    classes = np.array(truth)
    return Predictions(FILTER_LABELS, classes, np.full((n, 2), 0.5), classes, frame)


def test_association_of_source_and_class_by_hand() -> None:
    # [[10, 20], [30, 5]]: |10 * 5 - 20 * 30| / sqrt(30 * 35 * 40 * 25), the phi coefficient.
    predictions = with_sources(["a"] * 30 + ["b"] * 35, [0] * 10 + [1] * 20 + [0] * 30 + [1] * 5)
    evaluation = quick(predictions)
    assert evaluation.source_label_association == pytest.approx(550 / (30 * 35 * 40 * 25) ** 0.5)
    assert any("Cramer's V 0.54" in warning for warning in evaluation.warnings)


def test_association_ranges_from_unrelated_to_certain() -> None:
    unrelated = quick(with_sources(["a", "a", "b", "b"], [0, 1, 0, 1]))
    assert unrelated.source_label_association == pytest.approx(0)
    assert unrelated.warnings == ()
    certain = quick(with_sources(["a", "a", "b", "b"], [0, 0, 1, 1]))
    assert certain.source_label_association == pytest.approx(1)
    assert quick(with_sources(["a"] * 4, [0, 1, 0, 1])).source_label_association is None
    assert quick(with_sources(["a", "a", "b", "b"], [1, 1, 1, 1])).source_label_association is None


def test_as_dict_survives_json() -> None:
    evaluation = quick(synthetic_predictions())
    record = json.loads(json.dumps(evaluation.as_dict(), allow_nan=False))
    assert record["headline"]["value"] == evaluation.headline.value
    assert record["whole"]["per_class"]["covid19"]["sensitivity"]["method"] == "wilson"
    assert record["groups"]["source"]["one_class"]["per_class"]["covid19"]["auroc"]["value"] is None
    assert record["confusion"] == [list(row) for row in evaluation.confusion]


def test_too_few_resamplings_are_refused() -> None:
    with pytest.raises(UsageError, match="100 or more bootstrap resamplings, got 99"):
        evaluate(synthetic_predictions(), n_bootstrap=99)
