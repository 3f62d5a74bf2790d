"""Plots of an evaluation: numbers in, figure out. Every band and bar is a 95 % interval."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboard.language import tr
from dashboard.look import DASHES, LABEL_COLOURS, figure, label_name, release_colour

if TYPE_CHECKING:
    from training.evaluate.predictions import Predictions

BAND_REPLICATES = 200
"""Resamplings of the patients behind a band."""

RATES = np.linspace(0, 1, 101)
"""False positive rates at which a band is drawn."""


def roc(predictions: "Mapping[int, Predictions]", label: str) -> go.Figure:
    """Return the ROC curve of one class for each release, with a pointwise band (patients resampled)."""
    from training.evaluate.intervals import resampled_weights
    from training.evaluate.metrics import Ranking

    plot = figure(x_title=tr("false positive rate (1 - specificity)"), y_title=tr("sensitivity"), height=420)
    for place, (number, said) in enumerate(predictions.items()):
        ranking = Ranking.of(*_scores(said, label))
        curves = [
            np.interp(RATES, rates, sensitivities)
            for weights in resampled_weights(said.frame["patient_id"], n_bootstrap=BAND_REPLICATES, seed=0)
            for rates, sensitivities in zip(*ranking.roc_curve(weights), strict=True)
            if not np.isnan(rates).any()
        ]
        rates, sensitivities = ranking.roc_curve(np.ones((1, len(said.frame))))
        _band(plot, RATES, curves, release_colour(number))
        _curve(plot, rates[0], sensitivities[0], number, place)
    plot.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name=tr("chance"),
        line={"color": "#767676", "dash": "dot", "width": 1},
    )
    return plot


def precision_recall(predictions: "Mapping[int, Predictions]", label: str) -> go.Figure:
    """Return precision against sensitivity of one class for each release."""
    from training.evaluate.metrics import Ranking

    plot = figure(x_title=tr("sensitivity"), y_title=tr("precision, at this set's prevalence"), height=420)
    for place, (number, said) in enumerate(predictions.items()):
        precisions, recalls = Ranking.of(*_scores(said, label)).precision_recall_curve()
        _curve(plot, recalls, precisions, number, place)
    plot.update_yaxes(range=[0, 1.02])
    return plot


def confusion(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> go.Figure:
    """Return a confusion matrix: true classes down, decided ones across; shares colour the cells."""
    table = np.asarray(counts)
    names = [label_name(label) for label in labels]
    totals = np.maximum(table.sum(axis=1, keepdims=True), 1)
    texts = [
        [f"{count}<br>{count / total[0]:.0%}" for count in row]
        for row, total in zip(table, totals, strict=True)
    ]
    plot = figure(x_title=tr("decided class"), y_title=tr("true class"), height=360)
    plot.add_heatmap(
        z=table / totals,
        x=names,
        y=names,
        text=texts,
        texttemplate="%{text}",
        colorscale="Blues",
        zmin=0,
        zmax=1,
        showscale=False,
    )
    plot.update_yaxes(autorange="reversed")
    return plot


def reliability(bins: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Return how often the answer was right against how sure it was, with Wilson intervals."""
    filled = [one for one in bins if one["n"]]
    shares = np.array([one["share"]["value"] for one in filled])
    lower = np.array([one["share"]["lower"] for one in filled])
    upper = np.array([one["share"]["upper"] for one in filled])
    plot = figure(x_title=tr("probability given"), y_title=tr("share that was right"))
    plot.add_scatter(
        x=[one["confidence"] for one in filled],
        y=shares,
        mode="markers+lines",
        name=tr("measured"),
        text=[f"n = {one['n']}" for one in filled],
        error_y={"type": "data", "symmetric": False, "array": upper - shares, "arrayminus": shares - lower},
    )
    plot.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name=tr("as it should be"), line={"color": "#767676", "dash": "dot"}
    )
    return plot


def histogram(predictions: "Predictions", label: str, column: str, threshold: float | None) -> go.Figure:
    """Return how one class's probability is spread, by the groups of a column; shares of each group."""
    plot = figure(
        x_title=tr("probability of {label}", label=label_name(label)), y_title=tr("share of the group")
    )
    scores, _ = _scores(predictions, label)
    groups = predictions.frame[column] if column else predictions.frame["path"].map(lambda _: "")
    for place, group in enumerate(sorted(groups.unique())):
        plot.add_histogram(
            x=scores[(groups == group).to_numpy()],
            name=label_name(group) if group else tr("all"),
            histnorm="probability",
            xbins={"start": 0, "end": 1, "size": 0.05},
            opacity=0.6,
            marker={
                "color": LABEL_COLOURS.get(group),
                "pattern": {"shape": ("", "/", ".", "x", "-")[place % 5]},
            },
        )
    plot.update_layout(barmode="overlay")
    if threshold is not None:
        plot.add_vline(x=threshold, line_dash="dash", annotation_text=tr("reported from here"))
    return plot


def curves(records: Sequence[Mapping[str, float]]) -> go.Figure:
    """Return the losses of a training by epoch."""
    plot = figure(x_title=tr("epoch"), y_title=tr("loss (cross-entropy)"))
    for place, (name, title) in enumerate((("train_loss", tr("training")), ("val_loss", tr("validation")))):
        plot.add_scatter(
            x=[record["epoch"] for record in records],
            y=[record.get(name) for record in records],
            mode="lines+markers",
            name=title,
            line={"dash": DASHES[place]},
        )
    return plot


def _scores(predictions: "Predictions", label: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    index = predictions.labels.index(label)
    return predictions.probabilities[:, index], predictions.truth == index


def _curve(plot: go.Figure, x: NDArray[np.float64], y: NDArray[np.float64], number: int, place: int) -> None:
    plot.add_scatter(
        x=x,
        y=y,
        mode="lines",
        name=tr("release {n}", n=number),
        line={"color": release_colour(number), "dash": DASHES[place % len(DASHES)], "width": 2},
    )


def _band(
    plot: go.Figure, x: NDArray[np.float64], replicates: Sequence[NDArray[np.float64]], colour: str
) -> None:
    if not replicates:
        return
    lower, upper = np.percentile(np.stack(replicates), [2.5, 97.5], axis=0)
    plot.add_scatter(
        x=np.r_[x, x[::-1]],
        y=np.r_[upper, lower[::-1]],
        fill="toself",
        mode="lines",
        line={"width": 0},
        fillcolor=colour,
        opacity=0.18,
        showlegend=False,
        hoverinfo="skip",
    )
