"""One look for every page: the colours of classes and releases, and the frame of a plot.

The colours are those of Okabe and Ito (2008), which colour-blind readers can tell apart, and the same
as in the reports. Colour never stands alone: lines differ in style, bars carry names.
"""

import plotly.graph_objects as go
import streamlit as st

from dashboard.language import tr
from hilum.contract import LABELS
from training.evaluate.palette import COLOURS

LABEL_COLOURS = dict(zip(LABELS, COLOURS, strict=False))
"""Colour of each label, everywhere."""

DASHES = ("solid", "dash", "dashdot", "dot")

NEUTRAL = "#767676"
"""What is neither a label nor a release; dark enough on white and light enough on black."""


def label_name(label: str) -> str:
    """Return a label or finding in the reader's words."""
    return {
        "no_finding": tr("no finding"),
        "lung_opacity": tr("lung opacity"),
        "covid19": tr("COVID-19"),
    }.get(label, label)


def release_colour(number: int) -> str:
    """Return the colour of a release, the same on every page."""
    return COLOURS[3 + number % 3]


def figure(*, x_title: str, y_title: str, height: int = 320) -> go.Figure:
    """Return an empty plot whose axes are named, with their units."""
    plot = go.Figure()
    plot.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        legend={"orientation": "h", "y": 1.12},
        hovermode="closest",
    )
    plot.update_xaxes(title=x_title, automargin=True)
    plot.update_yaxes(title=y_title, automargin=True)
    return plot


def show(plot: go.Figure, key: str) -> None:
    """Draw a plot over the whole width, in the reader's light or dark theme."""
    st.plotly_chart(plot, width="stretch", key=key, config={"displaylogo": False})
