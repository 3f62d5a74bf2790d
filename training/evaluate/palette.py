"""One colour and one line style per class, the same in every figure.

The colours are those of Okabe and Ito (2008), which colour-blind readers can tell apart; the line style
tells the classes apart in print without colour.
"""

from typing import TypedDict

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
_LINE_STYLES = ("solid", "dashed", "dashdot", "dotted")

DPI = 150
"""Resolution of saved figures, in dots per inch."""


class LineStyle(TypedDict):
    """Keyword arguments of a line."""

    color: str
    linestyle: str


def line_style(index: int) -> LineStyle:
    """Return colour and line style of the class, or the curve, at place `index`."""
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": _LINE_STYLES[index % len(_LINE_STYLES)]}
