"""The ledger as a timeline: which release had each role, since when, and what else happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from dashboard.language import tr
from dashboard.look import NEUTRAL, figure, release_colour
from dashboard.releases.ledger_words import describe, role_word

if TYPE_CHECKING:
    from training.ledger.entry import Entry

LANES = ("champion", "challenger")

GOOD, DOUBTFUL, BAD = "#009E73", "#E69F00", "#D55E00"

LONGEST_WHY = 120
"""Letters of a reason that a hover shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """The time in which one release had one role."""

    role: str
    release: int
    start: datetime
    end: datetime
    entry: "Entry"
    """The decision that began it."""


def spans(entries: "Sequence[Entry]", now: datetime) -> list[Span]:
    """Return who had which role when, as the decisions took effect.

    Args:
        entries: the ledger, oldest first.
        now: where what still holds ends.
    """
    from training.promote.decisions import follow

    held: dict[str, tuple[int, Entry]] = {}
    found = []

    def close(role: str, end: datetime) -> None:
        if role in held:
            release, entry = held.pop(role)
            found.append(Span(role=role, release=release, start=entry.at, end=end, entry=entry))

    for entry, decided in follow(entries):
        for role in LANES:
            release = decided.aliases.get(role)
            if release != (held[role][0] if role in held else None):
                close(role, entry.at)
                if release is not None:
                    held[role] = release, entry
    for role in LANES:
        close(role, now)
    return found


def timeline(entries: "Sequence[Entry]", newest: int) -> go.Figure:
    """Draw a lane for each role, and one for verdicts, approvals and rollouts.

    Args:
        entries: the ledger, oldest first; at least one.
        newest: how many entries, from the last one back, the time axis shows at first and bears signs of:
            a browser takes a second for a thousand.
    """
    shown = entries[-newest:]
    now = datetime.now(UTC)
    plot = figure(x_title=tr("time (UTC)"), y_title="", height=300, is_of_names=True)
    for span in spans(entries, now):
        plot.add_bar(
            y=[role_word(span.role)],
            base=[span.start],
            x=[(span.end - span.start).total_seconds() * 1000],
            orientation="h",
            width=0.6,
            marker={"color": release_colour(span.release), "line": {"color": NEUTRAL, "width": 1}},
            text=tr("release {n}", n=span.release),
            textposition="inside",
            insidetextanchor="middle",
            textfont={"color": "black"},
            hovertext=_hover(span.entry, until=span.end if span.end < now else None),
            hoverinfo="text",
            showlegend=False,
        )
    _draw_events(plot, shown)
    lanes = [*map(role_word, LANES), tr("Events")]
    plot.update_layout(barmode="overlay", legend={"orientation": "h", "y": 1.2})
    plot.update_yaxes(categoryorder="array", categoryarray=lanes[::-1], range=[-0.6, len(lanes) - 0.4])
    margin = (now - shown[0].at) / 50
    plot.update_xaxes(type="date", range=[shown[0].at - margin, now + margin])
    return plot


def _draw_events(plot: go.Figure, entries: "Sequence[Entry]") -> None:
    """Mark what happened, each kind by a sign of its own."""
    kinds = {
        tr("gate passed"): ("circle", GOOD, _judged(entries, "passed")),
        tr("gate cannot tell"): ("diamond", DOUBTFUL, _judged(entries, "cannot_tell")),
        tr("gate failed"): ("x", BAD, _judged(entries, "failed")),
        tr("approved"): ("triangle-up", GOOD, [e for e in entries if e.kind == "approved"]),
        tr("past the gate"): ("star", BAD, [e for e in entries if e.facts.get("forced") is True]),
        tr("rollout done"): ("line-ns-open", NEUTRAL, [e for e in entries if e.kind == "rolled_out"]),
        tr("rollout failed"): ("cross", BAD, [e for e in entries if e.kind == "rollout_failed"]),
    }
    for name, (symbol, colour, found) in kinds.items():
        if found:
            plot.add_scatter(
                x=[entry.at for entry in found],
                y=[tr("Events")] * len(found),
                mode="markers",
                name=name,
                marker={"symbol": symbol, "color": colour, "size": 12, "line": {"color": colour, "width": 2}},
                hovertext=[_hover(entry) for entry in found],
                hoverinfo="text",
            )


def _judged(entries: "Sequence[Entry]", outcome: str) -> "list[Entry]":
    return [entry for entry in entries if entry.kind == "judged" and entry.facts.get("outcome") == outcome]


def _hover(entry: "Entry", *, until: datetime | None = None) -> str:
    """Return what, when, who and why; what people typed is no markup."""
    why = entry.why if len(entry.why) <= LONGEST_WHY else f"{entry.why[:LONGEST_WHY]}…"
    when = f"{entry.at:%Y-%m-%d %H:%M}" + (f" - {until:%Y-%m-%d %H:%M}" if until else "")
    lines = [describe(entry), when, tr("by {who}", who=entry.who), why]
    return "<br>".join(escape(line) for line in lines if line)
