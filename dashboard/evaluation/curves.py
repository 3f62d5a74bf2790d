"""Curves and the bands around them: what other patients might have given, by resampling those tested."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

if TYPE_CHECKING:
    from training.evaluate.predictions import Predictions

Floats = NDArray[np.float64]

REPLICATES = 100
"""Resamplings of the patients: `training.evaluate.evaluation.MIN_BOOTSTRAP`, for a page does not wait."""

MAX_POINTS = 600
"""Points of a drawn curve: more cannot be told apart, and are slow to send."""

GRID = np.linspace(0, 1, 101)
"""False positive rates, and sensitivities, at which a band is drawn."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Curves:
    """Two curves, `MAX_POINTS` at most, and their pointwise 95 % intervals at `GRID`, (101,) each.

    NaN where they are not defined.
    """

    roc: tuple[Floats, Floats]
    """False positive rates, and the sensitivity at each."""
    roc_band: tuple[Floats, Floats]
    """Lower and upper sensitivity by false positive rate."""
    precision_recall: tuple[Floats, Floats]
    """Sensitivities, and the precision at each."""
    precision_recall_band: tuple[Floats, Floats]
    """Lower and upper precision by sensitivity."""


@st.cache_data(ttl=3600, max_entries=60, show_spinner=False)
def curves(run_id: str, label: str, _predictions: "Predictions") -> Curves:  # noqa: ARG001 - names what is remembered
    """Return one class's curves with their bands.

    Args:
        run_id: the run whose predictions they are.
        label: the class.
    """
    from training.evaluate.intervals import resampled_weights
    from training.evaluate.metrics import Ranking

    index = _predictions.labels.index(label)
    ranked = Ranking.of(_predictions.probabilities[:, index], _predictions.truth == index)
    rocs, precisions = [], []
    for weights in resampled_weights(_predictions.frame["patient_id"], n_bootstrap=REPLICATES, seed=0):
        rocs += [np.interp(GRID, *one) for one in zip(*ranked.roc_curve(weights), strict=True)]
        pairs = zip(*ranked.precision_recall_curve(weights), strict=True)
        precisions += [np.interp(GRID, recalls, values) for values, recalls in pairs]
    all_alike = np.ones((1, len(_predictions.truth)))
    [rates], [sensitivities] = ranked.roc_curve(all_alike)
    [values], [recalls] = ranked.precision_recall_curve(all_alike)
    return Curves(
        roc=_thinned(rates, sensitivities),
        roc_band=_bounds(rocs),
        precision_recall=_thinned(recalls, values),
        precision_recall_band=_bounds(precisions),
    )


def _thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return points of a curve, evenly along it, its ends among them."""
    kept = np.unique(np.linspace(0, len(x) - 1, MAX_POINTS).round().astype(int))
    return x[kept].round(4), y[kept].round(4)


def _bounds(curves: list[Floats]) -> tuple[Floats, Floats]:
    """Return the 2.5 and 97.5 % percentiles of (B, 101) curves; NaN where none of them is defined."""
    rows = np.stack(curves)
    known = ~np.isnan(rows).all(axis=0)
    bounds = np.full((2, len(GRID)), np.nan)
    if known.any():
        bounds[:, known] = np.nanpercentile(rows[:, known], [2.5, 97.5], axis=0)
    return bounds[0], bounds[1]
