"""Plots of data: what a set holds, images as points, and what is served beside the reference."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboard.data.counts import class_name, group_name
from dashboard.data.drift_signals import Distribution
from dashboard.data.projection import Projection
from dashboard.language import mark, tr
from dashboard.look import DASHES, LABEL_COLOURS, NEUTRAL, figure, ink_colour, ink_on, label_name
from training.evaluate.palette import COLOURS

if TYPE_CHECKING:
    import pandas as pd

PATTERNS = ("", "/", "\\", "-", "x", ".")
SYMBOLS = ("circle", "square", "diamond", "x", "cross")
"""Those that points in two and in three dimensions share."""

COMPONENT = mark("component {n} ({percent} % of the variance)")
COMPONENT_SOLID = mark("component {n} ({percent} %)")
"""Titles of axes; in three dimensions there is less room."""

_SHADES = COLOURS[:6]
"""Without black, which a dark page would hide."""


def composition(counts: "pd.DataFrame", x_title: str) -> go.Figure:
    """Return stacked bars of images: a row of `counts` is a group, a column is a class."""
    plot = figure(
        x_title=tr("images"), y_title=x_title, height=max(240, 140 + 34 * len(counts)), is_of_names=True
    )
    for place, label in enumerate(counts.columns):
        colour = LABEL_COLOURS.get(str(label), NEUTRAL)
        plot.add_bar(
            x=counts[label],
            y=[str(group) for group in counts.index],
            orientation="h",
            name=class_name(str(label)),
            text=counts[label],
            textangle=0,
            insidetextfont={"color": ink_on(colour)},
            marker={"color": colour, "pattern": pattern(place)},
        )
    plot.update_layout(
        barmode="stack",
        legend={"traceorder": "normal"},
        uniformtext={"minsize": 10, "mode": "hide"},  # a number that does not fit its bar is in the table
    )
    plot.update_yaxes(type="category", autorange="reversed")
    return plot


def points(projection: Projection, groups: NDArray[Any], names: NDArray[np.str_]) -> go.Figure:
    """Return images as points.

    Args:
        projection: of M images.
        groups: (M,) names, told apart by colour and symbol; or times (datetime64), on a scale of colours.
        names: (M,) what stands beside a point under the mouse.
    """
    is_solid = projection.points.shape[1] == 3
    words = COMPONENT_SOLID if is_solid else COMPONENT
    titles = [
        tr(words, n=place + 1, percent=round(100 * share, 1))
        for place, share in enumerate(projection.explained)
    ] or [tr("t-SNE, axis 1 (no unit)"), tr("t-SNE, axis 2 (no unit)")]
    plot = figure(x_title=titles[0], y_title=titles[1], height=520)
    for one in _by_time(groups) if groups.dtype.kind == "M" else _by_group(groups):
        own = one.pop("own")
        where = projection.points[own].T
        marker = {"opacity": 0.75, "size": 3 if is_solid else 7} | one.pop("marker")
        common = one | {
            "mode": "markers",
            "customdata": projection.rows[own],
            "text": names[own],
            "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
            "marker": marker,
        }
        if is_solid:
            plot.add_scatter3d(x=where[0], y=where[1], z=where[2], **common)
        else:
            plot.add_scattergl(x=where[0], y=where[1], **common)
    if is_solid:
        plot.update_layout(
            scene={
                f"{axis}axis": {
                    "title": {"text": title, "font": {"color": ink_colour()}},
                    "tickfont": {"size": 10, "color": ink_colour()},
                }
                for axis, title in zip("xyz", titles, strict=True)
            },
            scene_camera_eye={"x": 1.9, "y": 1.9, "z": 1.3},  # from where the titles are seen whole
        )
    plot.update_layout(dragmode="turntable" if is_solid else "pan", legend={"itemsizing": "constant"})
    return plot


def ring(plot: go.Figure, projection: Projection, row: int, name: str) -> None:
    """Mark one image of a map, if it is among its points."""
    places = np.flatnonzero(projection.rows == row)
    if not len(places):
        return
    where = projection.points[places[0]]
    marker = {"symbol": "circle-open", "color": ink_colour(), "size": 18, "line": {"width": 3}}
    common = {"name": tr("chosen"), "mode": "markers", "marker": marker, "text": [name], "hoverinfo": "text"}
    if len(where) == 3:
        plot.add_scatter3d(x=where[:1], y=where[1:2], z=where[2:], **common)
    else:
        plot.add_scattergl(x=where[:1], y=where[1:], **common)


def _by_group(groups: NDArray[np.str_]) -> Iterator[dict[str, Any]]:
    """Yield name, marker and own points of each group."""
    for place, group in enumerate(map(str, np.unique(groups))):
        yield {
            "own": groups == group,
            "name": group_name(label_name(group)),
            "marker": {
                "color": LABEL_COLOURS.get(group, _SHADES[place % len(_SHADES)]),
                "symbol": SYMBOLS[place % len(SYMBOLS)],
            },
        }


def _by_time(times: NDArray[np.datetime64]) -> Iterator[dict[str, Any]]:
    """Yield the points whose time is known, on a scale with its dates, and those whose time is not."""
    is_known = ~np.isnat(times)
    if not is_known.all():
        marker = {"color": NEUTRAL, "symbol": "cross"}
        yield {"own": ~is_known, "name": tr("not stated"), "marker": marker}
    days = times[is_known].astype("datetime64[D]").astype(np.int64)
    if len(days):
        ticks = np.linspace(days.min(), days.max(), 5).round().astype(np.int64)
        bar = {
            "title": {"text": tr("study date"), "font": {"color": ink_colour()}},
            "tickvals": ticks,
            "ticktext": ticks.astype("datetime64[D]").astype(str),
            "thickness": 12,
            "tickfont": {"color": ink_colour()},
        }
        scale = {"color": days, "colorscale": "Cividis", "colorbar": bar}
        yield {"own": is_known, "name": tr("study date"), "marker": scale, "showlegend": False}


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


def pattern(place: int) -> dict[str, object]:
    """Return the pattern of the bars at a place in the legend: light lines, on which numbers can be read."""
    shape = PATTERNS[place % len(PATTERNS)]
    return {"shape": shape, "fillmode": "overlay", "fgcolor": "rgba(255,255,255,.5)", "size": 7}
