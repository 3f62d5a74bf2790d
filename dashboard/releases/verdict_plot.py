"""What the gate measured, as intervals beside what it demands."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from dashboard.language import tr
from dashboard.look import NEUTRAL, figure
from dashboard.releases.ledger_words import outcome_word
from dashboard.releases.timeline import BAD, DOUBTFUL, GOOD

if TYPE_CHECKING:
    from training.promote.verdict import Check

MARKS = {"passed": ("circle", GOOD), "cannot_tell": ("diamond", DOUBTFUL), "failed": ("x", BAD)}
"""Sign and colour of each outcome."""

ROW_PX = 26


def intervals(checks: "Sequence[Check]", *, x_title: str) -> go.Figure | None:
    """Draw each check's value between its bounds, and what is demanded; None where none has numbers.

    Args:
        checks: of one kind, so that one axis fits all.
        x_title: what is measured, with its unit.
    """
    from training.promote.gate.page import bounds_beside_demand

    found = [
        (check.outcome, check.name.split(",")[0], measured)
        for check in checks
        if (measured := bounds_beside_demand(check.numbers))
    ]
    if not found:
        return None
    plot = figure(x_title=x_title, y_title="", height=110 + ROW_PX * len(found), is_of_names=True)
    for outcome, (symbol, colour) in MARKS.items():
        rows = [(name, *measured) for each, name, measured in found if each == outcome]
        if rows:
            names, lower, upper, value, _ = zip(*rows, strict=True)
            plot.add_scatter(
                x=value,
                y=names,
                mode="markers",
                name=outcome_word(outcome),
                marker={"symbol": symbol, "color": colour, "size": 9},
                error_x={
                    "array": [high - seen for high, seen in zip(upper, value, strict=True)],
                    "arrayminus": [seen - low for low, seen in zip(lower, value, strict=True)],
                    "color": colour,
                    "thickness": 2,
                },
                hovertemplate="%{y}: %{x:.3f}<extra></extra>",
            )
    checked = [name for _, name, _ in found]
    plot.add_scatter(
        x=[measured[-1] for *_, measured in found],
        y=checked,
        mode="markers",
        name=tr("demanded"),
        marker={"symbol": "line-ns-open", "color": NEUTRAL, "size": 16, "line": {"width": 2}},
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
    )
    plot.update_yaxes(categoryorder="array", categoryarray=checked[::-1])
    return plot
