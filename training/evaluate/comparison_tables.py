"""A comparison of two networks as a table: for a person (rich) and for further work (pandas)."""

from collections.abc import Iterator
from dataclasses import asdict

import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table

from training.evaluate.comparison import Comparison
from training.evaluate.differences import Difference
from training.evaluate.verdict import METRIC_NAMES

_NUMBERS = ("a", "b", "value", "lower", "upper", "test_lower", "test_upper", "p_value", "p_adjusted")


def comparison_frame(comparison: Comparison) -> pd.DataFrame:
    """Return one row per difference: scope (`all` or `source`), group (the source), and its fields.

    What is not defined is NaN.
    """
    rows = [
        {"scope": scope, "group": group, **asdict(difference)}
        for scope, group, differences in _scopes(comparison)
        for difference in differences
    ]
    counts = {"only_a": "Int64", "only_b": "Int64"}
    return pd.DataFrame(rows).astype({**dict.fromkeys(_NUMBERS, "float64"), **counts})


def comparison_table(comparison: Comparison) -> Table:
    """Return the differences over all cases, and each source's headline and accuracy; it fits 80 columns.

    The other differences per source are in `comparison_frame` only.
    """
    title = f"{comparison.verdict.sentence}\n{comparison.n_images} cases of {comparison.n_patients} patients"
    table = Table(title=title, caption=_caption(comparison), box=box.SIMPLE_HEAD, pad_edge=False)
    table.title_justify = table.caption_justify = "left"
    table.collapse_padding = True
    table.add_column("cases")
    for heading in ("n", "A", "B", "B - A", "only A/B\nright", "p\n(Holm)"):
        table.add_column(heading, justify="right")
    for scope, group, differences in _scopes(comparison):
        if scope == "source":
            table.add_section()
            table.add_row(f"[italic]source {escape(group)}")
            headline = comparison.headline.metric, comparison.headline.label
            differences = [
                d for d in differences if d.metric == "accuracy" or (d.metric, d.label) == headline
            ]
        label = ""
        for difference in differences:
            if difference.label != label:
                label = difference.label
                table.add_row(f"[bold]{label or 'all classes'}")
            table.add_row(f"  {METRIC_NAMES[difference.metric]}", *_cells(difference))
    return table


def _scopes(comparison: Comparison) -> Iterator[tuple[str, str, list[Difference]]]:
    """Yield all cases, then each source, as (scope, group, differences)."""
    yield "all", "", list(comparison.whole)
    for name, differences in comparison.sources.items():
        yield "source", name, list(differences)


def _cells(difference: Difference) -> Iterator[str]:
    """Yield n, both values, the difference over its interval, the discordant cases and the p value."""
    yield str(difference.n)
    for value in (difference.a, difference.b):
        yield "-" if value is None else f"{value:.3f}"
    yield "-" if difference.value is None else str(difference).replace(" (", "\n").removesuffix(")")
    discordant = difference.only_a is not None and difference.n
    yield f"{difference.only_a}/{difference.only_b}" if discordant else "-"
    p = difference.p_adjusted
    yield "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def _caption(comparison: Comparison) -> str:
    method = (
        "B - A: above 0 where B is better; below it the 95 % interval from resampling patients "
        f"({comparison.n_bootstrap} times). p: DeLong's test for AUROCs, McNemar's exact test for the rest, "
        "images taken for independent; Holm's adjustment over the rows of all cases, and over those of all "
        "sources. A dash: not defined for these cases."
    )
    return "\n".join((*comparison.warnings, method))
