"""Two imagined networks on the same cases, for tests of the comparison."""

from dataclasses import replace

import numpy as np

from training.evaluate.differences import Difference
from training.evaluate.predictions import Predictions

DIFFERENCE = Difference(
    metric="auroc",
    label="covid19",
    n=40,
    n_patients=20,
    a=0.9,
    b=0.92,
    value=0.02,
    lower=-0.01,
    upper=0.05,
    test="delong",
    test_lower=-0.01,
    test_upper=0.05,
    p_value=0.2,
)


def disturbed(predictions: Predictions, *, spread: float, seed: int = 0) -> Predictions:
    """Return what a network would say that differs by noise of this spread on the logits."""
    random = np.random.default_rng(seed)
    logits = np.log(predictions.probabilities)
    logits = logits + spread * random.normal(size=logits.shape)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return replace(predictions, probabilities=probabilities, decided=probabilities.argmax(axis=1))


def shuffled(predictions: Predictions, *, seed: int = 0) -> Predictions:
    """Return the same predictions in another order."""
    order = np.random.default_rng(seed).permutation(len(predictions.truth))
    return Predictions(
        predictions.labels,
        predictions.truth[order],
        predictions.probabilities[order],
        predictions.decided[order],
        predictions.frame.iloc[order].reset_index(drop=True),
    )
