"""Plots of trainings: how each went, how much folds and repeats differ, and the paper's numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from dashboard.estimates import StoredEstimate
from dashboard.language import tr
from dashboard.look import DASHES, NEUTRAL, figure
from dashboard.sources.papers_api import Number, ThresholdsTable
from dashboard.sources.studies_api import StudyResult
from training.evaluate.palette import COLOURS

OURS, PAPER = COLOURS[0], COLOURS[5]
"""As in the reports of `hilum paper`; the symbol differs too."""

APART = 0.15
"""How far the two numbers of a row are from its middle, in rows."""


def losses(records: Sequence[Mapping[str, float]]) -> go.Figure:
    """Return the losses of a training by epoch."""
    plot = figure(x_title=tr("epoch"), y_title=tr("loss (cross-entropy)"))
    for place, (name, title) in enumerate((("train_loss", tr("training")), ("val_loss", tr("validation")))):
        _curve(plot, records, name, title, place)
    return plot


def validation(records: Sequence[Mapping[str, float]]) -> go.Figure:
    """Return the AUROC on the validation images by epoch."""
    plot = figure(x_title=tr("epoch"), y_title=tr("AUROC on validation images"))
    _curve(plot, records, "val_auroc", tr("validation"), 1)
    return plot


def by_network(study: StudyResult, name: str, title: str) -> go.Figure:
    """Return one number of each fold and repeat as a point, with their mean and standard deviation.

    The diamond is the pooled number with its 95 % interval: what other patients might have given.
    """
    plot = figure(
        x_title=title,
        y_title=tr("network"),
        height=max(260, 150 + 26 * len(study.networks)),
        is_of_names=True,
    )
    spread, pooled = study.over_networks[name], study.pooled[name]
    labels = [tr("repeat {repeat}, fold {fold}", repeat=one.repeat, fold=one.fold) for one in study.networks]
    if spread.mean is not None:
        if spread.sd is not None:
            plot.add_vrect(
                x0=spread.mean - spread.sd, x1=spread.mean + spread.sd, fillcolor=NEUTRAL, opacity=0.2
            )
        plot.add_vline(x=spread.mean, line_dash="dash", line_color=NEUTRAL)
    plot.add_scatter(
        x=[one.value(name) for one in study.networks],
        y=labels,
        mode="markers",
        name=tr("each network"),
        marker={"color": OURS, "symbol": "circle", "size": 10},
    )
    _points(plot, [pooled], [tr("all together")], tr("pooled, 95 % interval"), "diamond", PAPER)
    plot.update_yaxes(type="category", autorange="reversed")
    return plot


def beside_paper(numbers: Sequence[Number], names: Sequence[str]) -> go.Figure:
    """Return published numbers and ours as points, with intervals; ± standard deviation where it is printed.

    Args:
        numbers: of one table.
        names: what each is of.
    """
    plot = figure(
        x_title=tr("value"), y_title=tr("measure"), height=170 + 44 * len(numbers), is_of_names=True
    )
    published = [_with_deviation(number) for number in numbers]
    places = range(len(numbers))
    _points(plot, published, [place - APART for place in places], tr("paper"), "diamond", PAPER)
    ours = [number.ours for number in numbers]
    _points(plot, ours, [place + APART for place in places], tr("ours"), "circle", OURS)
    plot.update_yaxes(tickvals=list(places), ticktext=list(names), range=[len(numbers) - 0.5, -0.5])
    return plot


def beside_thresholds(table: ThresholdsTable) -> go.Figure:
    """Return sensitivity against false positive rate: the paper's points, and ours at its sensitivities."""
    plot = figure(x_title=tr("false positive rate (1 - specificity)"), y_title=tr("sensitivity"), height=400)
    sides = (
        (
            tr("paper"),
            "diamond",
            PAPER,
            [(p.published_specificity, p.published_sensitivity) for p in table.points],
        ),
        (tr("ours"), "circle", OURS, [(p.specificity_there, p.same_sensitivity) for p in table.points]),
    )
    for place, (name, symbol, colour, pairs) in enumerate(sides):
        known = [
            (specificity, sensitivity["value"])
            for specificity, sensitivity in pairs
            if specificity["value"] is not None and sensitivity["value"] is not None
        ]
        rates = [_flipped(specificity) for specificity, _ in known]
        plot.add_scatter(
            x=[rate["value"] for rate in rates],
            y=[sensitivity for _, sensitivity in known],
            mode="markers+lines",
            name=name,
            marker={"symbol": symbol, "size": 9, "color": colour},
            line={"color": colour, "dash": DASHES[place]},
            error_x=_bars(rates),
        )
    plot.update_xaxes(range=[-0.02, 1.02])
    plot.update_yaxes(range=[-0.02, 1.03])
    return plot


def _curve(
    plot: go.Figure, records: Sequence[Mapping[str, float]], name: str, title: str, place: int
) -> None:
    plot.add_scatter(
        x=[record["epoch"] for record in records],
        y=[record.get(name) for record in records],
        mode="lines+markers",
        name=title,
        line={"color": COLOURS[place], "dash": DASHES[place]},
        marker={"symbol": ("circle", "diamond")[place]},
    )


def _points(
    plot: go.Figure,
    estimates: Sequence[StoredEstimate],
    heights: Sequence[float | str],
    title: str,
    symbol: str,
    colour: str,
) -> None:
    plot.add_scatter(
        x=[one["value"] for one in estimates],
        y=list(heights),
        mode="markers",
        name=title,
        marker={"symbol": symbol, "size": 10, "color": colour},
        error_x=_bars(estimates),
    )


def _bars(estimates: Sequence[StoredEstimate]) -> dict[str, Any]:
    """Return the intervals of values as Plotly's error bars; none where there is no interval."""

    def lengths(bound: str) -> list[float]:
        return [
            0.0 if one["value"] is None or one[bound] is None else abs(one[bound] - one["value"])  # type: ignore[literal-required]
            for one in estimates
        ]

    return {"type": "data", "symmetric": False, "array": lengths("upper"), "arrayminus": lengths("lower")}


def _flipped(estimate: StoredEstimate) -> StoredEstimate:
    """Return 1 less an estimate that has a value."""
    value, lower, upper = estimate["value"], estimate["lower"], estimate["upper"]
    assert value is not None
    return {
        "value": 1 - value,
        "lower": None if upper is None else 1 - upper,
        "upper": None if lower is None else 1 - lower,
        "n": estimate["n"],
        "method": estimate["method"],
    }


def _with_deviation(number: Number) -> StoredEstimate:
    """Return a published number, with its standard deviation for an interval where it is a mean."""
    value, sd = number.published["value"], number.published_sd
    if value is None or sd is None:
        return number.published
    return {**number.published, "lower": value - sd, "upper": value + sd}
