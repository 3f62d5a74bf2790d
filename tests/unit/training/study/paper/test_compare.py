"""Published numbers beside ours: hand-worked cases, statsmodels and scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics
from statsmodels.stats.proportion import proportion_confint

from hilum.contract import CLASSIFIER
from tests.support.predictions import CLASSES, synthetic_predictions
from tests.support.studies import fold_parts, repeated_parts, tiny_family
from training.evaluate.intervals import Estimate
from training.evaluate.predictions import Predictions
from training.study.paper.compare import (
    ConfusionComparison,
    MetricsComparison,
    ThresholdComparison,
    compare,
    images_behind,
    merged_confusion,
    published_estimate,
)
from training.study.pooled import Summary, summarize
from training.train.family import load_family
from training.train.published import PublishedMetrics, PublishedThresholds

PLAIN, BINARY = ("plain", CLASSIFIER), ("binary", CLASSIFIER)


@pytest.fixture(scope="module")
def plain() -> Summary:
    return summarize(fold_parts(synthetic_predictions(CLASSES, n_images=200), 4), n_bootstrap=100)


def with_logits(predictions: Predictions, temperature: float) -> Predictions:
    """Return predictions whose probabilities were recalibrated from logits by a temperature."""
    logits = np.log(predictions.probabilities)
    powers = predictions.probabilities ** (1 / temperature)
    recalibrated = powers / powers.sum(axis=1, keepdims=True)
    return Predictions(
        predictions.labels, predictions.truth, recalibrated, predictions.decided, predictions.frame, logits
    )


def test_a_table_of_metrics(plain: Summary) -> None:
    comparison = compare(tiny_family().published[0], {PLAIN: plain})
    assert isinstance(comparison, MetricsComparison)
    numbers = {number.metric: number for number in comparison.numbers}
    truth, decided = plain.predictions.truth, plain.predictions.decided

    accuracy = numbers["accuracy"]
    assert accuracy.ours.value == pytest.approx(metrics.accuracy_score(truth, decided))
    assert accuracy.difference == pytest.approx(metrics.accuracy_score(truth, decided) - 0.9)
    assert accuracy.published.n == 150
    expected = proportion_confint(135, 150, method="wilson")
    assert (accuracy.published.lower, accuracy.published.upper) == pytest.approx(expected)

    sensitivity = numbers["covid19.sensitivity"]  # the paper prints 0.8 ± 0.05
    assert (sensitivity.published.value, sensitivity.published_sd) == (0.8, 0.05)
    assert (sensitivity.published.lower, sensitivity.published.n) == (None, 0), "± is no 95 % interval"
    assert sensitivity.spread.mean is not None
    assert sensitivity.difference == pytest.approx(sensitivity.spread.mean - 0.8)

    f1 = numbers["macro_f1"]
    assert f1.ours.value == pytest.approx(metrics.f1_score(truth, decided, average="macro"))
    assert f1.published == Estimate(0.7, None, None, 0, "none"), "no interval follows from a number of images"


@pytest.mark.parametrize(
    ("metric", "n"),
    [
        ("accuracy", 300),
        ("accuracy_2_class", 300),
        ("covid19.sensitivity", 100),
        ("covid19.specificity", 200),
        ("no_finding.sensitivity", 150),
        ("covid19.precision", 0),
        ("covid19.auroc", 0),
        ("macro_f1", 0),
        ("sars.sensitivity", 0),
    ],
)
def test_how_many_images_a_published_proportion_is_of(metric: str, n: int) -> None:
    assert images_behind(metric, {"no_finding": 150, "lung_opacity": 50, "covid19": 100}, CLASSES) == n
    assert images_behind(metric, {}, CLASSES) == 0


def test_of_two_classes_a_bare_sensitivity_is_of_the_second() -> None:
    assert images_behind("sensitivity", {"other": 3000, "covid19": 100}, ("other", "covid19")) == 100
    assert images_behind("specificity", {"other": 3000, "covid19": 100}, ("other", "covid19")) == 3000


def test_deep_covids_intervals_are_those_that_it_prints() -> None:
    """Table 6: 98 % ± 2.7 %, and ± 1.1, 1.1, 0.9, 1.5 %; its 1.1 of ResNet18 is 1.04 by its own formula."""
    (table,) = (table for table in load_family("deepcovid").published if table.table == "Table 6")
    assert isinstance(table, PublishedMetrics)
    margins = []
    for row in table.rows.values():
        for metric, value in row.items():
            assert isinstance(value, float)
            estimate = published_estimate(
                value, images_behind(metric, table.images, ("other", "covid19")), table
            )
            assert estimate.upper is not None
            margins.append(round(100 * (estimate.upper - value), 1))
    assert margins == [2.7, 1.0, 2.7, 1.1, 2.7, 0.9, 2.7, 1.5]


def test_a_confusion_matrix_in_the_papers_order_of_classes(plain: Summary) -> None:
    comparison = compare(tiny_family().published[1], {PLAIN: plain})
    assert isinstance(comparison, ConfusionComparison)
    assert comparison.labels == ("covid19", "no_finding", "lung_opacity")
    named = np.array(CLASSES)
    expected = metrics.confusion_matrix(
        named[plain.predictions.truth], named[plain.predictions.decided], labels=list(comparison.labels)
    )
    assert np.array_equal(comparison.ours, expected)
    assert comparison.published == ((50, 5, 5), (1, 37, 2), (3, 3, 44))


def test_classes_that_a_matrix_does_not_name_are_summed_up() -> None:
    ours = np.array([[10, 1, 2], [3, 20, 4], [5, 6, 30]])
    merged = merged_confusion(ours, CLASSES, ("covid19", "other"))
    assert merged.tolist() == [[30, 11], [6, 34]]
    own_other = merged_confusion(np.array([[7, 1], [2, 9]]), ("other", "covid19"), ("covid19", "other"))
    assert own_other.tolist() == [[9, 2], [1, 7]]


def test_a_table_of_thresholds_on_probabilities_that_are_not_recalibrated() -> None:
    raw = synthetic_predictions(("other", "covid19"), n_images=200)
    summary = summarize(fold_parts(with_logits(raw, temperature=2.0), 4), n_bootstrap=100)
    comparison = compare(tiny_family().published[3], {BINARY: summary})
    assert isinstance(comparison, ThresholdComparison)
    scores, positive = raw.probabilities[:, 1], raw.truth == 1
    for point, (threshold, sensitivity, specificity) in zip(
        comparison.points, [(0.2, 0.98, 0.6), (0.5, 0.7, 0.9)], strict=True
    ):
        assert point.threshold == threshold
        assert (point.published_sensitivity.value, point.published_sensitivity.n) == (sensitivity, 60)
        assert (point.published_specificity.value, point.published_specificity.n) == (specificity, 90)
        assert point.sensitivity.value == pytest.approx(np.mean(scores[positive] >= threshold))
        assert point.specificity.value == pytest.approx(np.mean(scores[~positive] < threshold))
        rates, reached, _ = metrics.roc_curve(positive, scores, drop_intermediate=False)
        best = np.flatnonzero(reached >= sensitivity)[0]
        assert point.same_sensitivity.value == pytest.approx(reached[best])
        assert point.specificity_there.value == pytest.approx(1 - rates[best])


def test_a_sensitivity_that_no_threshold_reaches_is_not_defined() -> None:
    base = synthetic_predictions(("other", "covid19"), n_images=40)
    never = np.where(base.truth[:, None] == 1, [[1.0, 0.0]], [[0.5, 0.5]])
    said = Predictions(base.labels, base.truth, never, np.zeros(40, dtype=np.int64), base.frame)
    table = PublishedThresholds(
        table="Table 1",
        title="t",
        variant="binary",
        label="covid19",
        points=((0.5, 0.9, 0.9), (1.0, 0.0, 1.0)),
    )
    comparison = compare(table, {BINARY: summarize(fold_parts(said, 2), n_bootstrap=100)})
    assert isinstance(comparison, ThresholdComparison)
    for point in comparison.points:
        assert point.specificity_there.value is None
        assert point.sensitivity.value == 0


def test_repeats_sum_their_matrices_and_count_images_once() -> None:
    parts = repeated_parts(3)
    summary = summarize(parts, n_bootstrap=100)
    confusion = compare(tiny_family().published[1], {PLAIN: summary})
    assert isinstance(confusion, ConfusionComparison)
    assert np.sum(confusion.ours) == 3 * 60
    numbers = compare(tiny_family().published[0], {PLAIN: summary})
    assert isinstance(numbers, MetricsComparison)
    assert numbers.numbers[0].ours.n == 60
    assert numbers.numbers[0].spread.n == 3


def test_networks_that_were_not_trained_have_no_rows(plain: Summary) -> None:
    family = load_family("deepcovid")
    assert compare(family.published[0], {PLAIN: plain}) is None
    table = PublishedMetrics(
        table="Table 1", title="t", rows={"plain": {"accuracy": 0.5}, "binary": {"accuracy": 0.6}}
    )
    comparison = compare(table, {PLAIN: plain})
    assert isinstance(comparison, MetricsComparison)
    assert [number.variant for number in comparison.numbers] == ["plain"]
