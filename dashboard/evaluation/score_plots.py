"""How a class's probability is spread over groups of images: one small histogram below the other."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from dashboard.language import tr
from dashboard.look import LABEL_COLOURS, NEUTRAL, ink_colour, label_name

if TYPE_CHECKING:
    import pandas as pd

    from dashboard.sources.evaluation_api import ReleaseEvaluation

BINS = 20

MAX_GROUPS = 10
"""Groups that are drawn: the largest."""

TRUE_CLASS = "label"
"""The grouping by true class, beside those of `training.evaluate.subgroups`."""

_ROW_PX = 84

_TITLE_SHARE = 0.3
"""Of a row's height."""


def grouping(evaluation: "ReleaseEvaluation", column: str) -> "pd.Series[str]":
    """Return the group of each test image, as the evaluation groups them; or its true class."""
    import pandas as pd

    from training.evaluate.subgroups import subgroups

    predictions = evaluation.predictions
    if column == TRUE_CLASS:
        return pd.Series(np.array(predictions.labels)[predictions.truth])
    return subgroups(predictions.frame)[column].reset_index(drop=True)


def histograms(
    scores: NDArray[np.float64],
    groups: "pd.Series[str]",
    *,
    label: str,
    names: Mapping[str, str],
    threshold: float | None,
) -> go.Figure:
    """Return a row for each group: shares of its images by their probability of one class.

    Args:
        scores: (N,) probabilities of the class.
        groups: (N,) the group of each image.
        label: the class.
        names: what a reader calls a group; others are called as they are.
        threshold: from which the class is reported, drawn through all rows; None for none.
    """
    sizes = groups.value_counts().head(MAX_GROUPS)
    shown = sorted(map(str, sizes.index), key=lambda group: (group not in LABEL_COLOURS, group))
    ink = {"color": ink_colour()}
    bars, titles, axes = [], [], {}
    for row, group in enumerate(shown):
        counts, edges = np.histogram(scores[(groups == group).to_numpy()], BINS, (0, 1))
        top = 1 - row / len(shown)
        axis = str(row + 1) if row else ""
        bars.append(
            {
                "type": "bar",
                "x": (edges[:-1] + edges[1:]) / 2,
                "y": 100 * counts / max(int(counts.sum()), 1),
                "yaxis": f"y{axis}",
                "width": 1 / BINS,
                "marker": {"color": LABEL_COLOURS.get(group, NEUTRAL)},
                "customdata": counts,
                "hovertemplate": "%{x:.3f}: %{y:.1f} % (%{customdata})<extra></extra>",
            }
        )
        titles.append(
            {
                "text": f"{names.get(group, group)} (n = {sizes[group]:,})",
                "font": {"size": 13, **ink},
                "showarrow": False,
                "xref": "paper",
                "x": 0,
                "xanchor": "left",
                "yref": "paper",
                "y": top - _TITLE_SHARE / len(shown),
                "yanchor": "bottom",
            }
        )
        axes[f"yaxis{axis}"] = {
            "domain": [1 - (row + 1) / len(shown), top - _TITLE_SHARE / len(shown)],
            "rangemode": "tozero",
            "nticks": 3,
            "ticksuffix": " %",
            "tickfont": ink,
            "automargin": True,
        }
        if row == len(shown) // 2:
            axes[f"yaxis{axis}"]["title"] = {"text": tr("share of the group"), "font": ink}
    line = {"color": "#D55E00", "dash": "dash", "width": 2}
    x_title = tr("probability of {label}", label=label_name(label))
    return go.Figure(  # at once, on one axis: each part more costs milliseconds, here and in the browser
        data=bars,
        layout={
            "height": 110 + _ROW_PX * len(shown),
            "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
            "showlegend": False,
            "bargap": 0,
            "annotations": titles,
            "shapes": []
            if threshold is None
            else [
                {
                    "type": "line",
                    "x0": threshold,
                    "x1": threshold,
                    "y0": 0,
                    "y1": 1,
                    "yref": "paper",
                    "line": line,
                }
            ],
            "xaxis": {
                "range": [0, 1],
                "anchor": f"y{len(shown)}" if len(shown) > 1 else "y",
                "tickfont": ink,
                "title": {"text": x_title, "font": ink},
                "automargin": True,
            },
            **axes,
        },
    )
