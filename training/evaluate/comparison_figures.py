"""A comparison of two networks, and decision curves, as figures for MLflow and for a report.

Figures are objects of their own (no pyplot): nothing is shown, and none outlives its caller.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluate.comparison import Comparison
from training.evaluate.decision_curve import DecisionCurve
from training.evaluate.differences import Difference
from training.evaluate.palette import COLOURS, DPI, line_style
from training.evaluate.verdict import METRIC_NAMES

_BLACK = COLOURS[-1]


def forest_figure(comparison: Comparison, names: tuple[str, str]) -> Figure:
    """Return every difference over all cases, then each source's headline and accuracy, with both intervals.

    Args:
        comparison: what `compare` returned.
        names: of networks A and B.
    """
    rows = list(_forest_rows(comparison))
    figure = Figure(figsize=(8.4, 1.9 + 0.29 * len(rows)), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color="0.5", linewidth=0.8)
    for place, (_, difference) in enumerate(rows):
        if difference is not None:
            _draw_difference(axes, place, difference, _colour(comparison, difference.label))
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    for tick, (_, difference) in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_fontweight("bold" if difference is None else "normal")
        tick.set_parse_math(False)  # a source's name may hold dollars
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    reach = max(abs(bound) for bound in axes.get_xlim())
    axes.set_xlim(-reach, reach)
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("B - A\nleft of 0: A is better    |    right of 0: B is better")
    axes.plot(
        [], [], color=_BLACK, linewidth=2.2, marker="s", markersize=5, label="95 %, resampling patients"
    )
    axes.plot([], [], color="0.55", linewidth=1, label="95 %, images independent (DeLong, Tango)")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, fontsize="small", frameon=False)
    figure.suptitle(
        f"A: {names[0]}\nB: {names[1]}\n{comparison.n_images} cases of {comparison.n_patients} patients",
        fontsize="medium",
        parse_math=False,
    )
    return figure


def decision_curve_figure(curves: Mapping[str, Mapping[str, DecisionCurve]]) -> Figure:
    """Return net benefit over the threshold, one panel per class, beside acting on all and on none.

    Args:
        curves: by class, then by network; the curves of a class share its prevalence.
    """
    figure = Figure(figsize=(6.8, 0.6 + 3.1 * len(curves)), dpi=DPI, layout="constrained")
    panels: list[Axes] = list(figure.subplots(len(curves), 1, squeeze=False)[:, 0])
    for axes, (label, of_class) in zip(panels, curves.items(), strict=True):
        for place, (name, curve) in enumerate(of_class.items()):
            style = line_style(place)
            axes.plot(curve.thresholds, curve.net_benefit, label=name, **style)
            axes.fill_between(
                curve.thresholds, curve.lower, curve.upper, color=style["color"], alpha=0.15, linewidth=0
            )
        first = next(iter(of_class.values()))
        axes.plot(first.thresholds, first.treat_all, color="0.5", linewidth=0.9, label="act on all")
        axes.axhline(0, color="black", linewidth=0.9, linestyle="dotted", label="act on none")
        highest = max(
            first.prevalence, *(float(np.nanmax(curve.upper, initial=0)) for curve in of_class.values())
        )
        axes.set(
            xlim=(0, 1),
            ylim=(-0.15 * first.prevalence, 1.05 * highest),  # further below there is only harm
            ylabel="net benefit\n(true positives per image)",
        )
        axes.set_title(_curve_title(label, first), fontsize="medium", loc="left")
        axes.grid(alpha=0.3)
    handles, labels = panels[0].get_legend_handles_labels()
    band = panels[0].fill_between([], [], color="0.5", alpha=0.3, linewidth=0)
    panels[0].legend([*handles, band], [*labels, "95 % band, pointwise"], fontsize="small", loc="upper right")
    panels[-1].set_xlabel("probability from which one acts")
    return figure


def _forest_rows(comparison: Comparison) -> Iterator[tuple[str, Difference | None]]:
    """Yield name and difference of each row; a heading has no difference."""
    yield "all cases", None
    for difference in comparison.whole:
        yield _row_name(difference), difference
    headline = comparison.headline
    for source, differences in comparison.sources.items():
        yield f"source {source}", None
        for difference in differences:
            if difference.metric == "accuracy" or (
                difference.metric == headline.metric and difference.label == headline.label
            ):
                yield _row_name(difference), difference


def _row_name(difference: Difference) -> str:
    name = f"{difference.label} {METRIC_NAMES[difference.metric]}".strip()
    return f"{name} (n = {difference.n})"


def _colour(comparison: Comparison, label: str) -> str:
    """Return the colour that a class has in every figure; black where there is none."""
    return line_style(comparison.labels.index(label))["color"] if label else _BLACK


def _draw_difference(axes: Axes, place: int, difference: Difference, colour: str) -> None:
    """Draw one row, and write its difference and interval to the right of the axes."""
    if difference.test_lower is not None and difference.test_upper is not None:
        bounds = [difference.test_lower, difference.test_upper]
        axes.plot(bounds, [place + 0.24] * 2, color="0.55", linewidth=1)
    if difference.lower is not None and difference.upper is not None:
        axes.plot([difference.lower, difference.upper], [place] * 2, color=colour, linewidth=2.2)
    if difference.value is not None:
        axes.plot(difference.value, place, marker="s", markersize=5, color=colour)
    beside = axes.get_yaxis_transform()
    axes.text(1.02, place, str(difference), transform=beside, va="center", fontsize="small")


def _curve_title(label: str, curve: DecisionCurve) -> str:
    origin = "among these" if curve.is_sample_prevalence else "stated"
    share = f"prevalence {100 * curve.prevalence:.3g} % ({origin})"
    return f"{label}: {curve.n_positive} of {curve.n_images} images, {share}"
