"""The files from which an evaluation can be done again (with MLflow: tests/integration/test_training.py)."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from tests.support.predictions import CLASSES, synthetic_predictions
from training.evaluate.evaluation import evaluate
from training.evaluate.predictions import load_predictions
from training.evaluate.run import EMBEDDINGS, PREDICTIONS, THRESHOLDS, write_predictions
from training.evaluate.thresholds import GRID, threshold_table


def test_stored_predictions_evaluate_to_the_same_numbers(tmp_path: Path) -> None:
    predictions = synthetic_predictions()
    predictions = replace(predictions, logits=np.log(predictions.probabilities))
    write_predictions(predictions, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {PREDICTIONS, THRESHOLDS}
    read = load_predictions(tmp_path / PREDICTIONS)
    assert evaluate(read, n_bootstrap=100) == evaluate(predictions, n_bootstrap=100)


def test_thresholds_are_stored_for_each_reported_class(tmp_path: Path) -> None:
    predictions = synthetic_predictions()
    write_predictions(predictions, tmp_path)
    table = pd.read_csv(tmp_path / THRESHOLDS)
    assert table["label"].tolist() == [label for label in CLASSES for _ in GRID]
    row = table[(table["label"] == "covid19") & (table["threshold"] == 0.5)].iloc[0]
    (expected,) = threshold_table(predictions.probabilities[:, 2], predictions.truth == 2, [0.5])
    assert row["sensitivity"] == expected.sensitivity.value
    assert row["npv_upper"] == expected.npv.upper


def test_embeddings_are_stored_in_half_precision_and_never_infinite(tmp_path: Path) -> None:
    embeddings = np.random.default_rng(0).normal(size=(120, 7)).astype(np.float32)
    embeddings[0, 0] = 1e6
    write_predictions(replace(synthetic_predictions(), embeddings=embeddings), tmp_path)
    with np.load(tmp_path / EMBEDDINGS) as stored:
        read = stored["embeddings"]
    assert read.dtype == np.float16
    assert read[0, 0] == np.finfo(np.float16).max
    np.testing.assert_allclose(read[1:], embeddings[1:], rtol=1e-3, atol=1e-6)
