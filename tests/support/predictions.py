"""Predictions of an imagined network, for tests of the evaluation."""

import numpy as np
import pandas as pd

from training.evaluate.predictions import Predictions

CLASSES = ("no_finding", "lung_opacity", "covid19")


def synthetic_predictions(
    labels: tuple[str, ...] = CLASSES, *, n_images: int = 120, skill: float = 1.5, seed: int = 0
) -> Predictions:
    """Return predictions over three sources, of which `one_class` holds only images of the last class.

    Every patient has two images; `skill` is how far the true class's logit stands out.
    """
    random = np.random.default_rng(seed)
    truth = random.integers(0, len(labels), n_images)
    logits = random.normal(size=(n_images, len(labels)))
    logits[np.arange(n_images), truth] += skill
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    places = np.where(np.arange(n_images) % 2, "north", "south")
    alone = (truth == len(labels) - 1) & (random.random(n_images) < 0.5)
    frame = pd.DataFrame(
        {
            "path": [f"images/{i}.png" for i in range(n_images)],
            "source": np.where(alone, "one_class", places),
            "patient_id": [f"p{i // 2}" for i in range(n_images)],
            "kind": np.where(truth == len(labels) - 1, "frontal_cxr", "ct"),
        }
    )
    return Predictions(labels, truth, probabilities, probabilities.argmax(axis=1), frame)
