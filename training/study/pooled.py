"""All networks of a study together: one evaluation of what they said, and how much it differs among them.

Two kinds of uncertainty stand side by side and must not be confused. The 95 % interval of the pooled numbers
says what other patients might give. Mean and standard deviation over networks say how much fold, seed and
split matter; the networks share training images, so the deviation over root n is no standard error (Bengio
and Grandvalet 2004). A pooled AUROC compares probabilities of different networks, hence the mean beside it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from training.evaluate.evaluation import MIN_BOOTSTRAP, Evaluation, evaluate
from training.evaluate.intervals import Estimate, wilson_estimate
from training.evaluate.predictions import Predictions
from training.evaluate.scope import measure
from training.study.measures import counted_once, estimates_by_name
from training.study.record import Part

IMAGE = ["path", "kind"]
"""Columns that tell an image from another: a radiograph and its turned copy have one path."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How one number differs among the networks of a study."""

    mean: float | None
    """None where no network has the number."""
    sd: float | None
    """Standard deviation with n - 1; None with fewer than two."""
    n: int
    """Networks that have the number: precision, for example, needs an image decided as the class."""

    def __str__(self) -> str:
        """Return mean and deviation to three decimals, as `0.884 ± 0.032`."""
        if self.mean is None:
            return "not defined"
        return f"{self.mean:.3f}" if self.sd is None else f"{self.mean:.3f} ± {self.sd:.3f}"


@dataclass(frozen=True, slots=True)
class Summary:
    """The result of a study."""

    predictions: Predictions
    """What all networks said, one row per network and test image."""
    evaluation: Evaluation
    """Of these rows. Where networks tested the same images, its Wilson intervals count images more than once:
    `estimates` do not."""
    n_images: int
    """Distinct images."""
    estimates: Mapping[str, Estimate]
    """The pooled numbers by name (`measure_names`)."""
    spreads: Mapping[str, Spread]
    """Over networks, by the same names."""
    networks: tuple[Mapping[str, Any], ...]
    """For each network: repeat, fold, run_id, and its numbers by name."""

    @property
    def share(self) -> float:
        """Distinct images among the rows, in (0, 1]."""
        return self.n_images / self.evaluation.n_images

    def proportion(self, successes: int, n: int) -> Estimate:
        """Return a proportion of rows with an interval that counts each image once."""
        return counted_once("proportion", wilson_estimate(successes, n), self.share)

    def as_dict(self) -> dict[str, Any]:
        """Return all but the predictions as objects that JSON can carry."""
        return {
            "labels": self.evaluation.labels,
            "n_images": self.n_images,
            "n_patients": self.evaluation.n_patients,
            "n_networks": len(self.networks),
            "n_bootstrap": self.evaluation.n_bootstrap,
            "confusion": self.evaluation.confusion,
            "pooled": {name: asdict(estimate) for name, estimate in self.estimates.items()},
            "over_networks": {name: asdict(spread) for name, spread in self.spreads.items()},
            "networks": self.networks,
            "warnings": self.evaluation.warnings,
            "evaluation": self.evaluation.as_dict() if self.share == 1 else None,
        }


def summarize(parts: tuple[Part, ...], *, n_bootstrap: int, seed: int = 0) -> Summary:
    """Return the result of the networks of a study, one or more, of the same classes.

    The confusion matrix is the sum of theirs.

    Args:
        parts: the networks.
        n_bootstrap: resamplings of patients for the pooled numbers, 100 or more.
        seed: of the resamplings.

    Raises:
        UsageError: too few resamplings.
    """
    pooled = pool([part.predictions for part in parts])
    evaluation = evaluate(pooled, n_bootstrap=n_bootstrap, seed=seed)
    n_images = len(pooled.frame[IMAGE].drop_duplicates())
    estimates = estimates_by_name(evaluation.whole, pooled.labels)
    values = [_values(part.predictions) for part in parts]
    return Summary(
        predictions=pooled,
        evaluation=evaluation,
        n_images=n_images,
        estimates={
            name: counted_once(name, estimate, n_images / len(pooled.frame))
            for name, estimate in estimates.items()
        },
        spreads={name: spread_of([value[name] for value in values]) for name in estimates},
        networks=tuple(
            {"repeat": part.division.repeat, "fold": part.division.fold, "run_id": part.run_id, **value}
            for part, value in zip(parts, values, strict=True)
        ),
    )


def pool(predictions: list[Predictions]) -> Predictions:
    """Return predictions of the same classes one after the other, with their logits where all have them."""
    logits = [each.logits for each in predictions if each.logits is not None]
    return Predictions(
        predictions[0].labels,
        np.concatenate([each.truth for each in predictions]),
        np.concatenate([each.probabilities for each in predictions]),
        np.concatenate([each.decided for each in predictions]),
        pd.concat([each.frame for each in predictions], ignore_index=True),
        np.concatenate(logits) if len(logits) == len(predictions) else None,
    )


def spread_of(values: list[float | None]) -> Spread:
    """Return mean and standard deviation of the numbers that are defined."""
    defined = [value for value in values if value is not None]
    if not defined:
        return Spread(None, None, 0)
    sd = float(np.std(defined, ddof=1)) if len(defined) > 1 else None
    return Spread(float(np.mean(defined)), sd, len(defined))


def _values(predictions: Predictions) -> dict[str, float | None]:
    """Return one network's numbers by name; their intervals are in its own run."""
    scope = measure(predictions, n_bootstrap=MIN_BOOTSTRAP, seed=0)
    return {name: estimate.value for name, estimate in estimates_by_name(scope, predictions.labels).items()}
