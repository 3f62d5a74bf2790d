"""Networks of a study together: hand-worked counts, and scikit-learn on the pooled predictions."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from tests.support.predictions import CLASSES, synthetic_predictions
from tests.support.studies import fold_parts, repeated_parts
from training.evaluate.evaluation import evaluate
from training.evaluate.predictions import Predictions
from training.study.pooled import Spread, pool, spread_of, summarize
from training.study.record import Part
from training.study.study import Division


def hand_made(truth: list[int], decided: list[int], first: int) -> Predictions:
    """Return predictions of images of one patient each, numbered from `first`."""
    frame = pd.DataFrame(
        {
            "path": [f"{first + index}.png" for index in range(len(truth))],
            "source": "drawn",
            "patient_id": [f"p{first + index}" for index in range(len(truth))],
            "kind": "frontal_cxr",
        }
    )
    probabilities = np.full((len(truth), 2), 0.2)
    probabilities[np.arange(len(truth)), decided] = 0.8
    return Predictions(("other", "covid19"), np.array(truth), probabilities, np.array(decided), frame)


def test_two_folds_by_hand() -> None:
    parts = (
        Part(
            Division(1, 1), "a", hand_made([1, 1, 0, 0], [1, 0, 0, 0], first=0)
        ),  # sensitivity 1/2, accuracy 3/4
        Part(
            Division(1, 2), "b", hand_made([1, 1, 0, 0], [1, 1, 1, 0], first=4)
        ),  # sensitivity 1, accuracy 3/4
    )
    summary = summarize(parts, n_bootstrap=100)
    assert summary.evaluation.confusion == ((3, 1), (1, 3))
    assert (summary.n_images, summary.evaluation.n_patients, summary.share) == (8, 8, 1.0)
    sensitivity = summary.estimates["covid19.sensitivity"]
    assert (sensitivity.value, sensitivity.n) == (0.75, 4)
    spread = summary.spreads["covid19.sensitivity"]
    assert (spread.mean, spread.n) == (0.75, 2)
    assert spread.sd == pytest.approx(np.sqrt(0.125))
    assert summary.spreads["accuracy"] == Spread(0.75, 0.0, 2)
    assert [network["run_id"] for network in summary.networks] == ["a", "b"]
    assert [network["covid19.sensitivity"] for network in summary.networks] == [0.5, 1.0]


def test_folds_pooled_are_the_evaluation_of_all_images() -> None:
    predictions = synthetic_predictions(n_images=150)
    summary = summarize(fold_parts(predictions, 5), n_bootstrap=100)
    whole = evaluate(predictions, n_bootstrap=100)
    assert summary.evaluation.confusion == whole.confusion
    assert summary.estimates["accuracy"] == whole.whole.overall["accuracy"]
    one = predictions.truth == 2
    expected = metrics.roc_auc_score(one, predictions.probabilities[:, 2])
    assert summary.estimates["covid19.auroc"].value == pytest.approx(expected)
    per_fold = [
        metrics.roc_auc_score(part.predictions.truth == 2, part.predictions.probabilities[:, 2])
        for part in fold_parts(predictions, 5)
    ]
    spread = summary.spreads["covid19.auroc"]
    assert spread.mean == pytest.approx(np.mean(per_fold))
    assert spread.sd == pytest.approx(np.std(per_fold, ddof=1))


def test_repeats_sum_their_matrices_but_count_images_once() -> None:
    parts = repeated_parts(4)
    summary = summarize(parts, n_bootstrap=100)
    matrices = [metrics.confusion_matrix(part.predictions.truth, part.predictions.decided) for part in parts]
    assert np.array_equal(summary.evaluation.confusion, np.sum(matrices, axis=0))
    assert (summary.n_images, summary.share) == (60, 0.25)
    accuracy, naive = summary.estimates["accuracy"], summary.evaluation.whole.overall["accuracy"]
    assert accuracy.value == naive.value
    assert (accuracy.n, naive.n) == (60, 240)
    assert accuracy.lower is not None
    assert naive.lower is not None
    assert accuracy.lower < naive.lower, "four networks are no four times as many images"
    assert summary.proportion(48, 80).n == 20


def test_a_number_that_some_networks_lack_says_of_how_many_it_is() -> None:
    never, once = hand_made([1, 0], [0, 0], first=0), hand_made([1, 0], [1, 0], first=2)
    parts = (Part(Division(1, 1), "a", never), Part(Division(1, 2), "b", once))
    spread = summarize(parts, n_bootstrap=100).spreads["covid19.precision"]
    assert spread == Spread(1.0, None, 1)
    assert str(spread) == "1.000"
    assert str(spread_of([None])) == "not defined"
    assert str(spread_of([0.5, 1.0])) == "0.750 ± 0.354"


def test_the_record_can_be_written_as_json() -> None:
    once = summarize(fold_parts(synthetic_predictions(), 3), n_bootstrap=100).as_dict()
    assert json.loads(json.dumps(once, allow_nan=False))["evaluation"]["n_images"] == 120
    repeated = summarize(repeated_parts(2), n_bootstrap=100).as_dict()
    assert repeated["evaluation"] is None, "its Wilson intervals count every image twice"
    assert (repeated["n_images"], repeated["n_networks"]) == (60, 2)


def test_logits_are_pooled_only_where_all_have_them() -> None:
    base = synthetic_predictions(n_images=20)
    with_logits = Predictions(
        CLASSES, base.truth, base.probabilities, base.decided, base.frame, np.log(base.probabilities)
    )
    pooled = pool([with_logits, with_logits])
    assert pooled.logits is not None
    assert pooled.logits.shape == (40, 3)
    assert pool([with_logits, base]).logits is None
