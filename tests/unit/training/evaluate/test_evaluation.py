import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    multilabel_confusion_matrix,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
    roc_auc_score,
)

from hilum.errors import UsageError
from tests.support.predictions import CLASSES, synthetic_predictions
from training.evaluate.calibration import BinnedConfidence, top_label
from training.evaluate.decisions import argmax_decision
from training.evaluate.evaluation import Evaluation, evaluate
from training.evaluate.intervals import (
    Estimate,
    f1_estimate,
    newcombe_estimate,
    resampled_weights,
    wilson_estimate,
)
from training.evaluate.predictions import Predictions

FILTER_LABELS = ("non_valid", "valid")
PROPORTIONS = {"sensitivity", "specificity", "precision", "accuracy", "two_class_accuracy"}


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
                "f1": f1_score(truth == k, decided == k),
                "auroc": roc_auc_score(truth == k, probabilities[:, k]),
                "average_precision": average_precision_score(truth == k, probabilities[:, k]),
                "brier": brier_score_loss(truth == k, probabilities[:, k]),
                "ece": BinnedConfidence.of(probabilities[:, k], truth == k).error(np.ones((1, 120)))[0],
            }
        )
    precision, recall, macro_f1, _ = precision_recall_fscore_support(truth, decided, average="macro")
    micro = precision_recall_fscore_support(truth, decided, average="micro")
    cells = multilabel_confusion_matrix(truth, decided)
    specificity = cells[:, 0, 0] / cells[:, 0].sum(axis=1)
    top = BinnedConfidence.of(*top_label(probabilities, truth))
    assert {name: estimate.value for name, estimate in evaluation.whole.overall.items()} == pytest.approx(
        {
            "accuracy": accuracy_score(truth, decided),
            "two_class_accuracy": accuracy_score(truth == 2, decided == 2),
            "balanced_accuracy": balanced_accuracy_score(truth, decided),
            "macro_auroc": roc_auc_score(truth, probabilities, multi_class="ovr", average="macro"),
            "macro_precision": precision,
            "macro_recall": recall,
            "macro_specificity": specificity.mean(),
            "macro_f1": macro_f1,
            "macro_f1_of_means": 2 * precision * recall / (precision + recall),
            "micro_precision": micro[0],
            "micro_recall": micro[1],
            "micro_f1": micro[2],
            "micro_specificity": cells[:, 0, 0].sum() / cells[:, 0].sum(),
            "brier": brier_score_loss(truth, probabilities, scale_by_half=False),
            "log_loss": log_loss(truth, probabilities),
            "ece": top.error(np.ones((1, 120)))[0],
        }
    )
    assert evaluation.headline == evaluation.whole.overall["macro_auroc"]
    assert evaluation.confusion == tuple(map(tuple, confusion_matrix(truth, decided).tolist()))
    assert (evaluation.n_images, evaluation.n_patients) == (120, 60)


def test_the_intervals_are_those_of_scikit_learn_on_every_resampling() -> None:
    predictions = synthetic_predictions()
    whole = evaluate(predictions, n_bootstrap=150, seed=4).whole
    weights = np.concatenate(
        list(resampled_weights(predictions.frame["patient_id"], n_bootstrap=150, seed=4))
    )
    drawn: dict[tuple[str, str], list[float]] = {}
    for row in weights:
        rows = np.repeat(np.arange(len(row)), row)
        truth, decided, probabilities = (
            values[rows] for values in (predictions.truth, predictions.decided, predictions.probabilities)
        )
        replicate = {
            ("covid19", "auroc"): roc_auc_score(truth == 2, probabilities[:, 2]),
            ("covid19", "average_precision"): average_precision_score(truth == 2, probabilities[:, 2]),
            ("covid19", "f1"): f1_score(truth == 2, decided == 2),
            ("covid19", "brier"): brier_score_loss(truth == 2, probabilities[:, 2]),
            ("", "macro_auroc"): roc_auc_score(truth, probabilities, multi_class="ovr"),
            ("", "macro_f1"): f1_score(truth, decided, average="macro"),
            ("", "balanced_accuracy"): balanced_accuracy_score(truth, decided),
            ("", "log_loss"): log_loss(truth, probabilities),
        }
        for key, value in replicate.items():
            drawn.setdefault(key, []).append(float(value))
    for (label, metric), values in drawn.items():
        estimates = dict(whole.per_class[label] if label else whole.overall)
        estimate = {str(name): found for name, found in estimates.items()}[metric]
        expected = np.percentile(values, [2.5, 97.5])
        assert (estimate.lower, estimate.upper) == pytest.approx(tuple(expected), abs=1e-9), metric


def decided_as(confusion: list[list[int]], labels: tuple[str, ...]) -> Predictions:
    """Return predictions with a given confusion matrix (true class by row), each image a patient."""
    cells = [(t, d) for t, row in enumerate(confusion) for d, n in enumerate(row) for _ in range(n)]
    truth, decided = (np.array(column) for column in zip(*cells, strict=True))
    names = [str(i) for i in range(len(cells))]
    frame = pd.DataFrame({"path": names, "source": "one", "patient_id": names, "kind": "frontal_cxr"})
    probabilities = np.full((len(cells), len(labels)), 0.1 / (len(labels) - 1))
    probabilities[np.arange(len(cells)), decided] = 0.9
    return Predictions(labels, truth, probabilities, argmax_decision(probabilities), frame)


def test_two_class_accuracy_is_the_papers() -> None:
    # Apostolopoulos and Mpesiana 2020, table 3, MobileNet v2, turned so that true classes are rows (normal,
    # pneumonia, COVID-19). Its tables 2 and 4: two-class accuracy 97.40 %, sensitivity 99.10 %, specificity
    # 97.09 %. The 3-class accuracy that follows is 95.45 %; the paper prints 92.85 %.
    evaluation = quick(decided_as([[646, 27, 27], [1, 495, 8], [0, 2, 222]], CLASSES))
    covid19, overall = evaluation.whole.per_class["covid19"], evaluation.whole.overall
    assert overall["two_class_accuracy"] == wilson_estimate(222 + 1169, 1428)
    assert overall["two_class_accuracy"].value == pytest.approx(0.9740, abs=1e-4)
    assert covid19["sensitivity"].value == pytest.approx(0.9910, abs=1e-4)
    assert covid19["specificity"].value == pytest.approx(0.9709, abs=1e-4)
    assert overall["accuracy"].value == pytest.approx(0.9545, abs=1e-4)


def test_other_labels_than_the_contracts_are_measured() -> None:
    evaluation = quick(decided_as([[40, 3], [2, 15]], ("other", "covid19")))
    assert list(evaluation.whole.per_class) == ["covid19"]
    assert evaluation.whole.per_class["covid19"]["sensitivity"] == wilson_estimate(15, 17)
    four = quick(decided_as([[9, 1, 0, 0], [1, 8, 1, 0], [0, 2, 7, 1], [1, 0, 0, 9]], ("a", "b", "c", "d")))
    assert list(four.whole.per_class) == ["a", "b", "c", "d"]
    assert "two_class_accuracy" not in four.whole.overall
    specificity = four.whole.overall["micro_specificity"]
    assert specificity.value == pytest.approx(1 - (1 - 33 / 40) / 3)
    accuracy = four.whole.overall["accuracy"]
    assert accuracy.lower is not None
    assert specificity.lower == pytest.approx(1 - (1 - accuracy.lower) / 3)


def test_groups_by_what_is_known_of_the_images() -> None:
    predictions = synthetic_predictions()
    n = len(predictions.truth)
    frame = predictions.frame.assign(
        view=np.where(np.arange(n) < 3, "AP", "PA"), sex=["", "F"] * (n // 2), age=["45", "12"] * (n // 2)
    )
    predictions = replace(predictions, frame=frame)
    evaluation = quick(predictions)
    assert list(evaluation.groups) == ["source", "view", "sex", "age", "kind"]
    assert list(evaluation.groups["sex"]) == ["female", "unknown"]
    assert list(evaluation.groups["age"]) == ["0-17", "40-59"]
    small = evaluation.groups["view"]["AP"]
    assert sum(small.counts.values()) == 3
    assert small.overall["accuracy"].n == 3
    alone = quick(predictions.take(frame["age"] == "45"))
    assert evaluation.groups["age"]["40-59"] == alone.whole


def test_reliability_is_that_of_the_whole_split() -> None:
    predictions = synthetic_predictions()
    evaluation = quick(predictions)
    assert list(evaluation.reliability) == ["top_label", *CLASSES]
    top = BinnedConfidence.of(*top_label(predictions.probabilities, predictions.truth))
    assert evaluation.reliability["top_label"] == top.reliability()
    for bins in evaluation.reliability.values():
        assert sum(b.n for b in bins) == 120


def test_a_class_of_one_patient_is_said() -> None:
    predictions = synthetic_predictions()
    patients = np.where(predictions.truth == 1, "only", predictions.frame["patient_id"])
    evaluation = quick(replace(predictions, frame=predictions.frame.assign(patient_id=patients)))
    n = evaluation.whole.counts["lung_opacity"]
    assert any(
        f"All {n} images labelled lung_opacity are of one patient" in warning
        for warning in evaluation.warnings
    )
    assert not any("no_finding" in warning for warning in evaluation.warnings)


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
    assert {"macro_auroc", "two_class_accuracy"}.isdisjoint(evaluation.whole.overall)
    assert list(evaluation.reliability) == ["top_label", "valid"]
    assert list(evaluation.groups) == ["source", "kind"]


def test_every_defined_interval_holds_its_value_and_says_how_it_was_made() -> None:
    whole = quick(synthetic_predictions()).whole
    for metrics in (*whole.per_class.values(), whole.overall):
        for name, estimate in metrics.items():
            assert estimate.value is not None
            assert estimate.lower is not None
            assert estimate.upper is not None
            assert 0 <= estimate.lower < estimate.value < estimate.upper, name
            assert estimate.upper <= (np.inf if name in {"brier", "log_loss"} else 1), name
            proportion = name.startswith("micro_") or name in PROPORTIONS
            expected = "wilson" if proportion else "noise_bootstrap" if name == "ece" else "patient_bootstrap"
            assert estimate.method == expected, name


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
    n_valid = metrics["sensitivity"].n
    assert metrics["f1"] == f1_estimate(1.0, 120, counted=n_valid)
    assert metrics["f1"].lower is not None
    assert metrics["f1"].lower < 0.98


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
    assert metrics["f1"].method == "none"
    assert metrics["brier"].method == "patient_bootstrap"  # which is about the images of every class


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
    assert record["reliability"]["top_label"][14]["share"]["n"] == evaluation.reliability["top_label"][14].n
    assert record["confusion"] == [list(row) for row in evaluation.confusion]


def test_too_few_resamplings_are_refused() -> None:
    with pytest.raises(UsageError, match="100 or more bootstrap resamplings, got 99"):
        evaluate(synthetic_predictions(), n_bootstrap=99)
