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

BINS = np.linspace(0, 1, 21)

MAX_GROUPS = 10
"""Groups that are drawn: the largest."""

TRUE_CLASS = "label"
"""The grouping by true class, beside those of `training.evaluate.subgroups`."""

_ROW_PX = 84


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
    from plotly.subplots import make_subplots

    sizes = groups.value_counts().head(MAX_GROUPS)
    shown = sorted(map(str, sizes.index), key=lambda group: (group not in LABEL_COLOURS, group))
    titles = [f"{names.get(group, group)} (n = {sizes[group]:,})" for group in shown]
    plot = make_subplots(
        rows=len(shown), cols=1, shared_xaxes=True, vertical_spacing=0.3 / len(shown), subplot_titles=titles
    )
    ink = {"color": ink_colour()}
    plot.update_annotations(x=0, xanchor="left", font={"size": 13, **ink})
    for row, group in enumerate(shown, start=1):
        counts, _ = np.histogram(scores[(groups == group).to_numpy()], BINS)
        percent = 100 * counts / max(int(counts.sum()), 1)
        plot.add_bar(
            x=(BINS[:-1] + BINS[1:]) / 2,
            y=percent,
            width=BINS[1] - BINS[0],
            marker={"color": LABEL_COLOURS.get(group, NEUTRAL)},
            customdata=counts,
            hovertemplate="%{x:.3f}: %{y:.1f} % (%{customdata})<extra></extra>",
            row=row,
            col=1,
        )
    if threshold is not None:
        plot.add_vline(x=threshold, line_dash="dash", line_color="#D55E00", line_width=2)
    plot.update_layout(
        height=110 + _ROW_PX * len(shown),
        margin={"l": 10, "r": 10, "t": 40, "b": 10},
        showlegend=False,
        bargap=0,
    )
    plot.update_xaxes(range=[0, 1], tickfont=ink)
    title = tr("probability of {label}", label=label_name(label))
    plot.update_xaxes(title={"text": title, "font": ink}, row=len(shown), col=1)
    plot.update_yaxes(rangemode="tozero", nticks=3, ticksuffix=" %", tickfont=ink)
    plot.update_yaxes(title={"text": tr("share of the group"), "font": ink}, row=(len(shown) + 1) // 2, col=1)
    return plot
