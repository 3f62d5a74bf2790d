"""Plots of data: what the test set holds, images as points, and what is served beside the reference."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboard.drift import Distribution
from dashboard.language import mark, tr
from dashboard.look import DASHES, LABEL_COLOURS, NEUTRAL, figure, label_name, release_colour
from dashboard.projection import Projection
from training.evaluate.palette import COLOURS

if TYPE_CHECKING:
    import pandas as pd

PATTERNS = ("", "/", ".", "x", "-", "+")
SYMBOLS = ("circle", "square", "diamond", "x", "cross")
"""Those that points in two and in three dimensions share."""

COMPONENT = mark("component {n} ({percent} % of the variance)")
COMPONENT_SOLID = mark("component {n} ({percent} %)")
"""Titles of axes; in three dimensions there is less room."""

_SHADES = COLOURS[:6]
"""Without black, which a dark page would hide."""


def composition(counts: "pd.DataFrame", x_title: str) -> go.Figure:
    """Return stacked bars of images: a row of `counts` is a group, a column is a class."""
    plot = figure(x_title=tr("images"), y_title=x_title, height=max(240, 140 + 34 * len(counts)))
    for place, label in enumerate(counts.columns):
        plot.add_bar(
            x=counts[label],
            y=[str(group) for group in counts.index],
            orientation="h",
            name=label_name(str(label)),
            text=counts[label],
            marker={
                "color": LABEL_COLOURS.get(str(label), _SHADES[place % len(_SHADES)]),
                "pattern": _pattern(place),
            },
        )
    plot.update_layout(
        barmode="stack",
        margin={"t": 60},
        legend={"traceorder": "normal", "y": 1, "yanchor": "bottom"},
    )
    plot.update_yaxes(type="category", autorange="reversed")
    return plot


def points(projection: Projection, groups: NDArray[np.str_], names: NDArray[np.str_]) -> go.Figure:
    """Return images as points.

    Args:
        projection: of M images.
        groups: (M,) what colour and symbol tell apart.
        names: (M,) what stands beside a point under the mouse.
    """
    is_solid = projection.points.shape[1] == 3
    words = COMPONENT_SOLID if is_solid else COMPONENT
    titles = [
        tr(words, n=place + 1, percent=round(100 * share, 1))
        for place, share in enumerate(projection.explained)
    ] or [tr("t-SNE, axis 1 (no unit)"), tr("t-SNE, axis 2 (no unit)")]
    plot = figure(x_title=titles[0], y_title=titles[1], height=560)
    for place, group in enumerate(map(str, np.unique(groups))):
        own = groups == group
        where = projection.points[own].T
        colour = LABEL_COLOURS.get(group, _SHADES[place % len(_SHADES)])
        marker = {"color": colour, "symbol": SYMBOLS[place % len(SYMBOLS)], "opacity": 0.75}
        common = {
            "name": label_name(group),
            "mode": "markers",
            "customdata": projection.rows[own],
            "text": names[own],
            "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
        }
        if is_solid:
            plot.add_scatter3d(x=where[0], y=where[1], z=where[2], marker=marker | {"size": 3}, **common)
        else:
            plot.add_scattergl(x=where[0], y=where[1], marker=marker | {"size": 7}, **common)
    if is_solid:
        plot.update_layout(
            scene={
                f"{axis}axis": {"title": title, "tickfont": {"size": 10}}
                for axis, title in zip("xyz", titles, strict=True)
            }
        )
    plot.update_layout(dragmode="turntable" if is_solid else "pan", legend={"itemsizing": "constant"})
    return plot


def cumulative(served: Distribution | None, reference: Distribution | None, x_title: str) -> go.Figure:
    """Return what is served beside the reference, and the widest gap between the two: the distance."""
    plot = figure(x_title=x_title, y_title=tr("share of images at or below"))
    for place, (name, one, colour) in enumerate(
        (
            (tr("served, last six hours"), served, COLOURS[0]),
            (tr("reference of the release"), reference, COLOURS[1]),
        )
    ):
        if one is not None:
            plot.add_scatter(
                x=one.bounds,
                y=one.shares,
                mode="lines+markers",
                name=name,
                line={"color": colour, "dash": DASHES[place], "shape": "hv"},
                marker={"symbol": SYMBOLS[place], "size": 6},
            )
    if served is not None and reference is not None:
        bounds, ours, theirs = np.intersect1d(served.bounds, reference.bounds, return_indices=True)
        if len(bounds):
            gaps = np.abs(served.shares[ours] - reference.shares[theirs])
            at = int(np.argmax(gaps))
            plot.add_scatter(
                x=[bounds[at]] * 2,
                y=[served.shares[ours][at], reference.shares[theirs][at]],
                mode="lines",
                name=tr("widest gap, {percent} %", percent=round(100 * float(gaps[at]), 1)),
                line={"color": NEUTRAL, "width": 4},
            )
    plot.update_yaxes(range=[0, 1.02])
    return plot


def reported(counts: Mapping[str, tuple[int, Mapping[str, int]]], labels: tuple[str, ...]) -> go.Figure:
    """Return how often each release reported each label, as shares with Wilson intervals.

    Args:
        counts: release number and images by label, by the name of the bar.
        labels: in the order of the axis.
    """
    from training.evaluate.intervals import wilson_bounds

    plot = figure(x_title=tr("what was reported"), y_title=tr("share of the accepted images"))
    for place, (name, (number, found)) in enumerate(counts.items()):
        total = sum(found.values())
        shares = np.array([found.get(label, 0) / total for label in labels])
        bounds = np.array([wilson_bounds(found.get(label, 0), total) for label in labels])
        plot.add_bar(
            x=[label_name(label) for label in labels],
            y=shares,
            name=name,
            marker={
                "color": release_colour(number),
                "pattern": _pattern(place),
            },
            error_y={
                "type": "data",
                "symmetric": False,
                "array": np.maximum(bounds[:, 1] - shares, 0),
                "arrayminus": np.maximum(shares - bounds[:, 0], 0),
            },
        )
    plot.update_layout(barmode="group")
    plot.update_yaxes(rangemode="tozero")
    return plot


def _pattern(place: int) -> dict[str, object]:
    """Return the pattern of the bars at a place in the legend: light lines, on which numbers can be read."""
    shape = PATTERNS[place % len(PATTERNS)]
    return {"shape": shape, "fillmode": "overlay", "fgcolor": "rgba(255,255,255,.5)", "size": 7}
