"""Plots of what a network answered on its test images. Every band and bar is a 95 % interval."""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboard.estimates import StoredEstimate, told
from dashboard.evaluation.curves import GRID, curves
from dashboard.evaluation.measures import measure_name
from dashboard.language import tr
from dashboard.look import DASHES, NEUTRAL, figure, label_name
from training.evaluate.palette import COLOURS

if TYPE_CHECKING:
    from dashboard.sources.evaluation_api import ReleaseEvaluation
    from training.evaluate.differences import Difference

SYMBOLS = ("circle", "diamond")

LINE = 14
"""Characters of a class's name on one line beside a matrix."""

_INK = "rgba(128,128,128,1)"


def roc(found: "Sequence[ReleaseEvaluation]", label: str) -> go.Figure:
    """Return the ROC curve of one class for each network, with a pointwise band (patients resampled).

    The marker is the operating point: what was decided.
    """
    plot = figure(x_title=tr("false positive rate (1 - specificity)"), y_title=tr("sensitivity"), height=440)
    for place, one in enumerate(found):
        measures = one.result["whole"]["per_class"][label]
        drawn = curves(one.run_id, label, one.predictions)
        _band(plot, *drawn.roc_band, one.colour)
        _curve(plot, *drawn.roc, _named(one, "auroc", measures), one.colour, place)
        specificity = measures["specificity"]["value"]
        _decided(plot, _one_minus(specificity), measures["sensitivity"]["value"], one, place)
    plot.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name=tr("chance"),
        line={"color": NEUTRAL, "dash": "dot", "width": 1},
    )
    return _from_0_to_1(plot)


def precision_recall(found: "Sequence[ReleaseEvaluation]", label: str) -> go.Figure:
    """Return precision against sensitivity of one class for each network, with the same band and marker."""
    plot = figure(x_title=tr("sensitivity"), y_title=tr("precision, at this set's prevalence"), height=440)
    for place, one in enumerate(found):
        measures = one.result["whole"]["per_class"][label]
        drawn = curves(one.run_id, label, one.predictions)
        _band(plot, *drawn.precision_recall_band, one.colour)
        name = _named(one, "average_precision", measures)
        _curve(plot, *drawn.precision_recall, name, one.colour, place)
        _decided(plot, measures["sensitivity"]["value"], measures["precision"]["value"], one, place)
    share = found[0].result["whole"]["counts"][label] / found[0].result["n_images"]
    plot.add_scatter(
        x=[0, 1],
        y=[share, share],
        mode="lines",
        name=tr("chance"),
        line={"color": NEUTRAL, "dash": "dot", "width": 1},
    )
    return _from_0_to_1(plot)


def confusion(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> go.Figure:
    """Return a confusion matrix: true classes down, decided ones across; shares colour the cells."""
    table = np.asarray(counts)
    names = ["<br>".join(wrap(label_name(label), LINE)) for label in labels]
    totals = np.maximum(table.sum(axis=1, keepdims=True), 1)
    texts = [
        [f"{count}<br>{count / total[0]:.0%}" for count in row]
        for row, total in zip(table, totals, strict=True)
    ]
    plot = figure(x_title=tr("decided class"), y_title=tr("true class"), height=360, is_of_names=True)
    plot.add_heatmap(
        z=table / totals,
        x=names,
        y=names,
        text=texts,
        texttemplate="%{text}",
        hovertemplate="%{y} → %{x}: %{text}<extra></extra>",
        colorscale="Blues",
        zmin=0,
        zmax=1,
        showscale=False,
    )
    plot.update_yaxes(autorange="reversed")
    return plot


def reliability(found: "Sequence[ReleaseEvaluation]", name: str) -> go.Figure:
    """Return how often the answer was right against how sure it was, with Wilson intervals.

    Args:
        found: networks.
        name: a reported class, or `top_label` for the most probable one.
    """
    plot = figure(x_title=tr("probability given"), y_title=tr("share that was right"), height=400)
    for place, one in enumerate(found):
        bins = [each for each in one.result["reliability"][name] if each["n"]]
        shares = np.array([each["share"]["value"] for each in bins])
        lower = np.array([each["share"]["lower"] for each in bins])
        upper = np.array([each["share"]["upper"] for each in bins])
        plot.add_scatter(
            x=[each["confidence"] for each in bins],
            y=shares,
            mode="markers+lines",
            name=one.name,
            text=[f"n = {each['n']}" for each in bins],
            line={"color": one.colour, "dash": DASHES[place]},
            marker={"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 8},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": np.maximum(upper - shares, 0),
                "arrayminus": np.maximum(shares - lower, 0),
            },
        )
    plot.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name=tr("as it should be"), line={"color": NEUTRAL, "dash": "dot"}
    )
    return _from_0_to_1(plot)


def differences(found: "Sequence[Difference]", names: Sequence[str]) -> go.Figure:
    """Return how far a second network is from a first one in each measure, with the patients' interval."""
    known = [
        (one.value, _or(one.lower, one.value), _or(one.upper, one.value), name)
        for one, name in zip(found, names, strict=True)
        if one.value is not None
    ]
    plot = figure(
        x_title=tr("difference: the second less the first (above 0 the second is better)"),
        y_title=tr("measure"),
        height=140 + 30 * len(known),
        is_of_names=True,
    )
    plot.add_vline(x=0, line_dash="dash", line_color=NEUTRAL)
    plot.add_scatter(
        x=[value for value, *_ in known],
        y=[name for *_, name in known],
        mode="markers",
        showlegend=False,
        marker={"size": 9, "color": COLOURS[0]},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [upper - value for value, _, upper, _ in known],
            "arrayminus": [value - lower for value, lower, *_ in known],
        },
    )
    plot.update_yaxes(type="category", autorange="reversed")
    return plot


def _named(one: "ReleaseEvaluation", metric: str, measures: Mapping[str, StoredEstimate]) -> str:
    """Return a network's name with the area under its curve."""
    return f"{one.name}: {measure_name(metric)} {told(measures[metric])}"


def _or(bound: float | None, value: float) -> float:
    """Return a bound, or the value itself where no interval is given."""
    return value if bound is None else bound


def _one_minus(value: float | None) -> float | None:
    return None if value is None else 1 - value


def _curve(
    plot: go.Figure, x: NDArray[np.float64], y: NDArray[np.float64], name: str, colour: str, place: int
) -> None:
    plot.add_scatter(
        x=x,
        y=y,
        mode="lines",
        name=name,
        line={"color": colour, "dash": DASHES[place % len(DASHES)], "width": 2},
    )


def _decided(plot: go.Figure, x: float | None, y: float | None, one: "ReleaseEvaluation", place: int) -> None:
    """Mark what was decided, where both of its measures are defined."""
    if x is not None and y is not None:
        plot.add_scatter(
            x=[x],
            y=[y],
            mode="markers",
            name=tr("{name}: as decided", name=one.name),
            showlegend=False,
            marker={
                "color": one.colour,
                "symbol": SYMBOLS[place % len(SYMBOLS)],
                "size": 12,
                "line": {"color": _INK, "width": 2},
            },
        )


def _band(plot: go.Figure, lower: NDArray[np.float64], upper: NDArray[np.float64], colour: str) -> None:
    defined = ~(np.isnan(lower) | np.isnan(upper))
    x, lower, upper = GRID[defined], lower[defined], upper[defined]
    plot.add_scatter(
        x=np.r_[x, x[::-1]],
        y=np.r_[upper, lower[::-1]].round(4),
        fill="toself",
        mode="lines",
        line={"width": 0},
        fillcolor=colour,
        opacity=0.18,
        showlegend=False,
        hoverinfo="skip",
    )


def _from_0_to_1(plot: go.Figure) -> go.Figure:
    plot.update_xaxes(range=[-0.01, 1.01])
    plot.update_yaxes(range=[-0.01, 1.03])
    return plot
