"""Series of Prometheus as lines over time, with a sentence where there are none or where they are old."""

import time
from collections.abc import Sequence

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


def lines(key: str, asked: Sequence[Query], *, hours: float, unit: str, names: Sequence[str] = ()) -> None:
    """Draw the queries' series over the last `hours`.

    Args:
        key: names the plot on its page.
        asked: each may give several series, told apart by its legend's label.
        hours: length of the time axis.
        unit: of the values, in the reader's words.
        names: of the queries, where there are several; stands before a series' own label.

    Raises:
        SourceError: Prometheus does not answer, or not as it should.
    """
    found = [
        (_name(names[index] if names else "", query, series), series)
        for index, query in enumerate(asked)
        for series in query_range(query.expression, hours=hours)
        if np.isfinite(series.values).any()
    ]
    if not found:
        empty(tr("Nothing was measured in this time."))
        return
    plot = figure(x_title=tr("time (UTC)"), y_title=unit)
    for index, (name, series) in enumerate(found):
        plot.add_scatter(
            x=_instant(series.times),
            y=series.values,
            name=name,
            mode="lines" if len(series.times) > 1 else "markers",
            line={
                "color": LABEL_COLOURS.get(name, COLOURS[index % len(COLOURS)]),
                "dash": DASHES[index % len(DASHES)],
            },
        )
    now = time.time()
    plot.update_yaxes(rangemode="tozero")
    plot.update_xaxes(range=[_instant(now - hours * 3600), _instant(now)])
    show(plot, key)
    age_s = now - max(float(series.times[-1]) for _, series in found)
    if age_s > STALE_S:
        empty(tr("The newest of these values is {minutes} minutes old.", minutes=round(age_s / 60)))


def _name(name: str, query: Query, series: Series) -> str:
    label = label_name(series.labels.get(query.legend, "")) if query.legend else ""
    return " · ".join(part for part in (name, label) if part) or tr("value")


def _instant(seconds: float | NDArray[np.float64]) -> NDArray[np.datetime64]:
    """Return seconds since 1970 as times in UTC."""
    return (np.asarray(seconds) * 1000).astype("datetime64[ms]")
