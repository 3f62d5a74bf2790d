from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.support.paired_predictions import disturbed
from tests.support.predictions import CLASSES, synthetic_predictions
from training.evaluate.comparison import Comparison, compare
from training.evaluate.comparison_figures import decision_curve_figure, forest_figure
from training.evaluate.decision_curve import DecisionCurve, decision_curves
from training.evaluate.palette import line_style

FILTER_LABELS = ("non_valid", "valid")
NAMES = ("first run (12345678)", "second run (9abcdef0)")


def compared(labels: tuple[str, ...] = CLASSES, **renamed: str) -> Comparison:
    a = synthetic_predictions(labels)
    a.frame["source"] = a.frame["source"].replace(renamed)
    return compare(a, disturbed(a, spread=1.0), n_bootstrap=100)


def curves(labels: tuple[str, ...] = CLASSES) -> dict[str, dict[str, DecisionCurve]]:
    a = synthetic_predictions(labels)
    of_a, of_b = (decision_curves(p, n_bootstrap=100) for p in (a, disturbed(a, spread=1.0)))
    return {label: {"A": of_a[label], "B": of_b[label]} for label in of_a}


def write_png(figure: Figure) -> bytes:
    stream = BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


@pytest.mark.parametrize("labels", [CLASSES, FILTER_LABELS])
def test_every_figure_can_be_saved(labels: tuple[str, ...]) -> None:
    for figure in (forest_figure(compared(labels), NAMES), decision_curve_figure(curves(labels))):
        assert write_png(figure).startswith(b"\x89PNG")


def test_the_forest_plot_has_a_row_for_every_difference_over_all_cases() -> None:
    comparison = compared()
    axes = forest_figure(comparison, NAMES).axes[0]
    rows = [tick.get_text() for tick in axes.get_yticklabels()]
    assert rows[0] == "all cases"
    assert rows[1:12] == [
        *(f"{d.label} {d.metric.replace('auroc', 'AUROC')} (n = {d.n})" for d in comparison.whole if d.label),
        "macro AUROC (n = 120)",
        "accuracy (n = 120)",
    ]
    assert [row for row in rows if row.startswith("source")] == [
        "source north",
        "source one_class",
        "source south",
    ]
    beside = [text.get_text() for text in axes.texts]
    assert beside[:11] == [str(difference) for difference in comparison.whole]


def test_the_forest_plot_draws_both_intervals_where_they_are() -> None:
    comparison = compared()
    axes = forest_figure(comparison, NAMES).axes[0]
    first = comparison.whole[0]
    lines = [
        (list(map(float, np.asarray(line.get_xdata()))), line.get_linewidth()) for line in axes.get_lines()
    ]
    assert ([first.lower, first.upper], 2.2) in lines
    assert ([first.test_lower, first.test_upper], 1.0) in lines
    left, right = axes.get_xlim()
    assert left == -right
    assert right >= max(abs(d.lower or 0) for d in comparison.whole)


def test_the_forest_plot_says_which_side_is_whose() -> None:
    figure = forest_figure(compared(), NAMES)
    assert "right of 0: B is better" in figure.axes[0].get_xlabel()
    assert figure.get_suptitle().startswith(f"A: {NAMES[0]}\nB: {NAMES[1]}\n120 cases of 60 patients")


def test_decision_curves_are_drawn_beside_both_defaults() -> None:
    made = curves()
    figure = decision_curve_figure(made)
    assert len(figure.axes) == 3
    for axes, (label, of_class) in zip(figure.axes, made.items(), strict=True):
        drawn = {str(line.get_label()): line for line in axes.get_lines()}
        assert list(drawn) == ["A", "B", "act on all", "act on none"]
        assert np.asarray(drawn["B"].get_ydata()) == pytest.approx(of_class["B"].net_benefit)
        assert np.asarray(drawn["act on all"].get_ydata()) == pytest.approx(of_class["A"].treat_all)
        assert drawn["A"].get_color() == line_style(0)["color"] != drawn["B"].get_color()
        assert axes.get_title(loc="left").startswith(f"{label}: {of_class['A'].n_positive} of 120 images")
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()][-1] == "95 % band, pointwise"


def test_a_name_is_drawn_as_it_is() -> None:
    figure = forest_figure(compared(north="$\\frac$"), ("$\\bad$", "b"))
    assert "source $\\frac$" in [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert write_png(figure).startswith(b"\x89PNG")


def test_a_curve_without_a_band_is_drawn() -> None:
    made = synthetic_predictions()
    alone = made.frame.assign(patient_id="one")
    figure = decision_curve_figure(
        {
            label: {"network": curve}
            for label, curve in decision_curves(replace(made, frame=alone), n_bootstrap=100).items()
        }
    )
    assert write_png(figure).startswith(b"\x89PNG")
    assert figure.axes[0].get_ylim()[1] > 0
