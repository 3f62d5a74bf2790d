"""Series of Prometheus as lines over time, with a sentence where there are none or where they are old."""

import time
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dashboard.frame import empty
from dashboard.language import tr
from dashboard.look import DASHES, LABEL_COLOURS, figure, label_name, show
from dashboard.queries import Query
from dashboard.sources.prometheus_api import Series, query_range
from training.evaluate.palette import COLOURS

STALE_S = 300.0
"""Age of the newest point from which a line is called old, in seconds."""

LINE_COLOURS = COLOURS[:-1]
"""The last one is black, which a dark page swallows."""

FEW_POINTS = 30
"""Up to so many points each is marked: one between two gaps would be no line."""


def lines(
    key: str,
    asked: Sequence[Query],
    *,
    hours: float,
    unit: str,
    names: Sequence[str] = (),
    form: Mapping[str, object] | None = None,
) -> None:
    """Draw the queries' series over the last `hours`.

    Args:
        key: names the plot on its page.
        asked: each may give several series, told apart by its legend's label.
        hours: length of the time axis.
        unit: of the values, in the reader's words.
        names: of the queries, where there are several; stands before a series' own label.
        form: how the values are written, as plotly names it.

    Raises:
        SourceError: Prometheus does not answer, or not as it should.
    """
    found = [
        (_name(names[index] if names else "", query, series), series)
        for index, query in enumerate(asked)
        for series in measured(query, hours=hours)
    ]
    if not found:
        empty(tr("Nothing was measured in this time."))
        return
    plot = figure(x_title=tr("time (UTC)"), y_title=unit)
    for index, (name, series) in enumerate(found):
        finite = np.isfinite(series.values)
        plot.add_scatter(
            x=_instant(series.times),
            y=np.where(finite, series.values, np.nan),  # what is no number is a gap, not a zero
            name=name,
            mode="lines" if finite.sum() > FEW_POINTS else "lines+markers",
            line={
                "color": LABEL_COLOURS.get(name, LINE_COLOURS[index % len(LINE_COLOURS)]),
                "dash": DASHES[index % len(DASHES)],
            },
        )
    now = time.time()
    plot.update_yaxes(rangemode="tozero", **(form or {}))
    plot.update_xaxes(range=[_instant(now - hours * 3600), _instant(now)])
    plot.update_layout(uirevision=hours, showlegend=len(found) > 1)  # what was zoomed stays so
    show(plot, key)
    age_s = now - max(float(series.times[np.isfinite(series.values)][-1]) for _, series in found)
    if age_s > STALE_S:
        empty(tr("The newest of these values is {minutes} minutes old.", minutes=round(age_s / 60)))


def measured(query: Query, *, hours: float) -> list[Series]:
    """Return the series of a query that have a value in the last `hours`.

    Raises:
        SourceError: as for `lines`.
    """
    found = query_range(query.expression, hours=hours)
    return [series for series in found if np.isfinite(series.values).any()]


def _name(name: str, query: Query, series: Series) -> str:
    label = query.name_of(series.labels)
    return " · ".join(part for part in (name, _word(label)) if part) or tr("value")


def _word(label: str) -> str:
    """Return a label in the reader's words: what became of an image, or a finding."""
    outcomes = {
        "accepted": tr("accepted"),
        "rejected": tr("rejected"),
        "undecodable": tr("not readable"),
    }
    return outcomes.get(label) or label_name(label)


def _instant(seconds: float | NDArray[np.float64]) -> NDArray[np.datetime64]:
    """Return seconds since 1970 as times in UTC."""
    return (np.asarray(seconds) * 1000).astype("datetime64[ms]")
