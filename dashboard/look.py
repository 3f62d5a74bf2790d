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
        "other": tr("all others"),
        "valid": tr("frontal chest radiograph"),
        "non_valid": tr("no frontal chest radiograph"),
    }.get(label, label)


def release_colour(number: int) -> str:
    """Return the colour of a release, the same on every page."""
    return COLOURS[3 + number % 3]


def ink_colour() -> str:
    """Return the colour of words and lines on a plot; Streamlit's own gray is too light on white."""
    return "#FAFAFA" if st.context.theme.type == "dark" else "#31333F"


def ink_on(colour: str) -> str:
    """Return black or white, whichever is read better on a colour `#RRGGBB` (by WCAG's luminance)."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in shares)
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else "white"


def figure(*, x_title: str, y_title: str, height: int = 320, is_of_names: bool = False) -> go.Figure:
    """Return an empty plot whose axes are titled, with their units.

    Args:
        x_title: what is to the right, with its unit.
        y_title: what is upwards.
        height: in pixels.
        is_of_names: an axis has names for numbers; the browser draws such a plot twice, to measure them.
    """
    ink = {"color": ink_colour()}
    xaxis, yaxis = (
        {"title": {"text": title, "font": ink}, "tickfont": ink, "automargin": is_of_names}
        for title in (x_title, y_title)
    )
    return go.Figure(  # at once: each update of a figure costs milliseconds
        layout={
            "height": height,
            "margin": {"r": 10, "t": 30} | ({"l": 10, "b": 10} if is_of_names else {"l": 75, "b": 55}),
            # above the axes, however many lines
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
            "hovermode": "closest",
            "xaxis": xaxis,
            "yaxis": yaxis,
        }
    )


def show(plot: go.Figure, key: str) -> None:
    """Draw a plot over the whole width, in the reader's light or dark theme."""
    titles = (plot.layout.yaxis.title.text, plot.layout.xaxis.title.text)
    alt = " · ".join(title for title in titles if title) or None  # for those who do not see it
    st.plotly_chart(plot, width="stretch", key=key, config={"displaylogo": False}, alt=alt)
