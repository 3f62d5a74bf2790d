"""A verdict as one HTML page that needs nothing beside it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hilum.contract import NOTICE
from training.promote.verdict import Check, Verdict

TEMPLATE = "verdict.html.j2"

DRAWN_PX = 240
"""Width of a drawn interval, in pixels."""

PADDING = 0.05
"""Share of the drawing left free at either end."""


@dataclass(frozen=True, slots=True)
class Bar:
    """An interval beside what is demanded, in pixels from the left."""

    lower: float
    upper: float
    value: float
    demanded: float


@dataclass(frozen=True, slots=True)
class Row:
    """A check as the page shows it."""

    check: Check
    bar: Bar | None
    """None where there is no interval to draw."""


def render_page(verdict: Verdict) -> str:
    """Return the verdict as one self-contained HTML document."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    groups = {
        "Floors": [check for check in verdict.checks if "floor" in check.numbers],
        "Beside the champion, on the same cases": [c for c in verdict.checks if "margin" in c.numbers],
    }
    drawn = [check for group in groups.values() for check in group]
    groups["Everything else"] = [check for check in verdict.checks if check not in drawn]
    return environment.get_template(TEMPLATE).render(
        verdict=verdict,
        groups={title: _rows(checks) for title, checks in groups.items() if checks},
        settings=json.dumps(verdict.policy_settings, indent=1),
        notice=NOTICE,
        width=DRAWN_PX,
    )


def _rows(checks: Sequence[Check]) -> list[Row]:
    """Return the rows of a table, their intervals drawn to one scale."""
    spans = [span for check in checks if (span := bounds_beside_demand(check.numbers))]
    if not spans:
        return [Row(check, None) for check in checks]
    low, high = min(map(min, spans)), max(map(max, spans))
    low, high = low - PADDING * (high - low), high + PADDING * (high - low)

    def place(value: float) -> float:
        return round(DRAWN_PX * (value - low) / (high - low), 1)

    rows = []
    for check in checks:
        span = bounds_beside_demand(check.numbers)
        rows.append(Row(check, Bar(*map(place, span)) if span else None))
    return rows


def bounds_beside_demand(numbers: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
    """Return lower bound, upper bound, value and demand; None where one is missing."""
    demanded = numbers.get("floor", -numbers["margin"] if "margin" in numbers else None)
    span = (
        numbers.get("lower"),
        numbers.get("upper"),
        numbers.get("value", numbers.get("difference")),
        demanded,
    )
    lower, upper, value, least = span
    return (
        None
        if lower is None or upper is None or value is None or least is None
        else (lower, upper, value, least)
    )
