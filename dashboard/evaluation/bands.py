"""The bands around curves: what other patients might have given, by resampling those that were tested."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

if TYPE_CHECKING:
    from training.evaluate.metrics import Ranking
    from training.evaluate.predictions import Predictions

Floats = NDArray[np.float64]

REPLICATES = 100
"""Resamplings of the patients: `training.evaluate.evaluation.MIN_BOOTSTRAP`, for a page does not wait."""

GRID = np.linspace(0, 1, 101)
"""False positive rates, and sensitivities, at which a band is drawn."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Bands:
    """Pointwise 95 % intervals of two curves, (101,) each; NaN where they are not defined."""

    roc: tuple[Floats, Floats]
    """Lower and upper sensitivity by false positive rate."""
    precision_recall: tuple[Floats, Floats]
    """Lower and upper precision by sensitivity."""


@st.cache_data(ttl=3600, max_entries=60, show_spinner=False)
def bands(run_id: str, label: str, _predictions: "Predictions") -> Bands:  # noqa: ARG001 - names what is remembered
    """Return the bands of one class's curves.

    Args:
        run_id: the run whose predictions they are.
        label: the class.
    """
    from training.evaluate.intervals import resampled_weights

    ranked = ranking(_predictions, label)
    rocs, precisions = [], []
    for weights in resampled_weights(_predictions.frame["patient_id"], n_bootstrap=REPLICATES, seed=0):
        rocs += [np.interp(GRID, *one) for one in zip(*ranked.roc_curve(weights), strict=True)]
        curves = zip(*ranked.precision_recall_curve(weights), strict=True)
        precisions += [np.interp(GRID, recalls, values) for values, recalls in curves]
    return Bands(roc=_bounds(rocs), precision_recall=_bounds(precisions))


def ranking(predictions: "Predictions", label: str) -> "Ranking":
    """Return the images ranked by the probability of one class."""
    from training.evaluate.metrics import Ranking

    index = predictions.labels.index(label)
    return Ranking.of(predictions.probabilities[:, index], predictions.truth == index)


def _bounds(curves: list[Floats]) -> tuple[Floats, Floats]:
    """Return the 2.5 and 97.5 % percentiles of (B, 101) curves; NaN where none of them is defined."""
    rows = np.stack(curves)
    known = ~np.isnan(rows).all(axis=0)
    bounds = np.full((2, len(GRID)), np.nan)
    if known.any():
        bounds[:, known] = np.nanpercentile(rows[:, known], [2.5, 97.5], axis=0)
    return bounds[0], bounds[1]
