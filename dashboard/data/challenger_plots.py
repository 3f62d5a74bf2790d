"""Plots of a challenger beside its champion: how often each reports what, and where the two part."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from dashboard.data.challenger_words import answer_name
from dashboard.data.plots import pattern
from dashboard.language import tr
from dashboard.look import figure, ink_colour, label_name, release_colour

if TYPE_CHECKING:
    from training.promote.challenge import Challenge


def reported(counts: Mapping[str, tuple[int, Mapping[str, int]]], labels: tuple[str, ...]) -> go.Figure:
    """Return how often each release reported each label, as shares with Wilson intervals.

    Args:
        counts: release number and images by label, by the name of the bar.
        labels: in the order of the axis.
    """
    from training.evaluate.intervals import wilson_bounds

    plot = figure(
        x_title=tr("what was reported"), y_title=tr("share of the accepted images"), is_of_names=True
    )
    for place, (name, (number, found)) in enumerate(counts.items()):
        total = sum(found.values())
        shares = np.array([found.get(label, 0) / total for label in labels])
        bounds = np.array([wilson_bounds(found.get(label, 0), total) for label in labels])
        plot.add_bar(
            x=[label_name(label) for label in labels],
            y=shares,
            name=name,
            marker={"color": release_colour(number), "pattern": pattern(place)},
            error_y={
                "type": "data",
                "color": ink_colour(),
                "symmetric": False,
                "array": np.maximum(bounds[:, 1] - shares, 0),
                "arrayminus": np.maximum(shares - bounds[:, 0], 0),
            },
        )
    plot.update_layout(barmode="group")
    plot.update_yaxes(rangemode="tozero")
    return plot


def answers(challenge: "Challenge") -> go.Figure:
    """Return how many images got which two answers; on the diagonal both say the same."""
    from training.promote.challenge import ANSWERS

    names = [answer_name(answer) for answer in ANSWERS]
    table = np.array(challenge.table)
    of_row = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    plot = figure(
        x_title=tr("challenger, release {n} (images)", n=challenge.challenger),
        y_title=tr("champion, release {n} (images)", n=challenge.champion),
        height=320,
        is_of_names=True,
    )
    plot.add_heatmap(
        z=of_row,
        x=names,
        y=names,
        text=table,
        texttemplate="%{text}",
        colorscale="Blues",
        zmin=0,
        zmax=1,
        showscale=False,
        hovertemplate="%{y} → %{x}: %{text}<extra></extra>",
    )
    plot.update_yaxes(autorange="reversed")
    return plot
