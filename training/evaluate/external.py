"""What is lost on data from elsewhere: an external evaluation against the internal one.

Reads evaluations as the plain objects that `Evaluation.as_dict` gives and `result.json` holds. Only metrics
that the mix of classes does not move are compared (beside the accuracy, which readers ask for): precision and
average precision rise and fall with the prevalence, which differs between data sets for reasons of their own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table

from hilum.errors import UsageError
from training.evaluate.intervals import Estimate

WHOLE = "all"
"""The scope of rows about the whole external set."""

ALL_CLASSES = ""
"""The label of metrics over all classes."""

_OF_CLASS = ("auroc", "sensitivity", "specificity")
_OVERALL = ("macro_auroc", "accuracy", "balanced_accuracy")


@dataclass(frozen=True, slots=True)
class PerformanceDrop:
    """One metric on internal and on external data."""

    scope: str
    """`all`, or a source of the external set."""
    label: str
    """The class compared with the rest; empty for metrics over all classes."""
    metric: str
    """What was measured."""
    internal: Estimate
    """On the whole internal split."""
    external: Estimate
    """On the external images of the scope."""
    drop: float | None
    """internal - external: above 0 where external data are harder; None where either is not defined."""
    lower: float | None
    """Lower bound of the drop's 95 % interval; None where either estimate has no interval."""
    upper: float | None
    """Upper bound of the drop's 95 % interval."""

    @property
    def is_certain(self) -> bool:
        """Whether the interval holds no 0: the two sets surely differ."""
        return self.lower is not None and self.upper is not None and not self.lower <= 0 <= self.upper

    def __str__(self) -> str:
        """Return the drop and its interval, as `+0.120 (+0.031 to +0.209)`."""
        if self.drop is None:
            return "not defined"
        if self.lower is None or self.upper is None:
            return f"{self.drop:+.3f}"
        return f"{self.drop:+.3f} ({self.lower:+.3f} to {self.upper:+.3f})"


def performance_drop(internal: Mapping[str, Any], external: Mapping[str, Any]) -> tuple[PerformanceDrop, ...]:
    """Return how far each metric falls from internal to external data, for the whole and for each source.

    The two evaluations must share no patient: their estimates are taken for independent.

    Args:
        internal: `Evaluation.as_dict()` of a split of the data set that the network was trained on.
        external: the same of another data set.

    Raises:
        UsageError: they are about different classes.
    """
    if list(internal["labels"]) != list(external["labels"]):
        raise UsageError(
            f"The internal evaluation is about {', '.join(internal['labels'])}, the external one about "
            f"{', '.join(external['labels'])}: evaluate the same network on both."
        )
    base, sources = internal["whole"], external["groups"]["source"]
    rows = list(_rows(WHOLE, base, external["whole"]))
    if len(sources) > 1:
        for source, measured in sources.items():
            rows += [row for row in _rows(source, base, measured) if row.drop is not None]
    return tuple(rows)


def difference_interval(first: Estimate, second: Estimate) -> tuple[float, float] | None:
    """Return the 95 % interval of first - second from the intervals of two independent samples.

    lower = d - sqrt((a - l_a)^2 + (u_b - b)^2), upper = d + sqrt((u_a - a)^2 + (b - l_b)^2): square and add.
    Of two proportions with Wilson's intervals this is Newcombe's hybrid score interval (Newcombe 1998,
    Statistics in Medicine 17:873, method 10); for other measures with intervals of their own, as AUROCs, it
    is the method of variance estimates recovery (MOVER: Zou and Donner 2008, Statistics in Medicine 27:1693).

    Returns:
        None where either has no value or no interval.
    """
    if first.value is None or first.lower is None or first.upper is None:
        return None
    if second.value is None or second.lower is None or second.upper is None:
        return None
    difference = first.value - second.value
    below = sqrt((first.value - first.lower) ** 2 + (second.upper - second.value) ** 2)
    above = sqrt((first.upper - first.value) ** 2 + (second.value - second.lower) ** 2)
    return difference - below, difference + above


def drop_frame(rows: Sequence[PerformanceDrop]) -> pd.DataFrame:
    """Return one row per metric, with both estimates' values, bounds and n, and the drop with its bounds."""
    return pd.DataFrame(
        [
            {
                "scope": row.scope,
                "label": row.label,
                "metric": row.metric,
                **{
                    f"{name}{part}": asdict(estimate)[field]
                    for name, estimate in (("internal", row.internal), ("external", row.external))
                    for part, field in (("", "value"), ("_lower", "lower"), ("_upper", "upper"), ("_n", "n"))
                },
                "drop": row.drop,
                "lower": row.lower,
                "upper": row.upper,
            }
            for row in rows
        ]
    )


def drop_table(rows: Sequence[PerformanceDrop]) -> Table:
    """Return the drops for a person; those whose interval leaves 0 out are bold."""
    caption = (
        "drop: internal less external, with its 95 % interval (Newcombe's for proportions, MOVER else); bold "
        "where it leaves 0 out. Two sets differ in patients, machines and mix of disease: a drop does not "
        "say which of these is to blame."
    )
    table = Table(
        title="From internal to external data", caption=caption, box=box.SIMPLE_HEAD, pad_edge=False
    )
    table.title_justify = table.caption_justify = "left"
    for heading in ("images", "metric"):
        table.add_column(heading)
    for heading in ("internal", "n", "external", "n", "drop"):
        table.add_column(heading, justify="right")
    for previous, row in zip([None, *rows], rows, strict=False):
        if previous is not None and previous.scope != row.scope:
            table.add_section()
        is_first = previous is None or previous.scope != row.scope
        name = " ".join(filter(None, (row.label, row.metric.replace("_", " ").replace("auroc", "AUROC"))))
        table.add_row(
            escape(row.scope) if is_first else "",
            name,
            str(row.internal),
            str(row.internal.n),
            str(row.external),
            str(row.external.n),
            f"[bold]{row}" if row.is_certain else str(row),
        )
    return table


def _rows(scope: str, internal: Mapping[str, Any], external: Mapping[str, Any]) -> Iterator[PerformanceDrop]:
    """Yield the metrics of a scope against the whole internal split, those over all classes first."""
    for metric in _OVERALL:
        if metric in internal["overall"] and metric in external["overall"]:
            yield _drop(scope, ALL_CLASSES, metric, internal["overall"][metric], external["overall"][metric])
    for label, metrics in internal["per_class"].items():
        for metric in _OF_CLASS:
            yield _drop(scope, label, metric, metrics[metric], external["per_class"][label][metric])


def _drop(
    scope: str, label: str, metric: str, internal: Mapping[str, Any], external: Mapping[str, Any]
) -> PerformanceDrop:
    """Return one metric on both sets."""
    first, second = Estimate(**internal), Estimate(**external)
    drop = None if first.value is None or second.value is None else first.value - second.value
    lower, upper = difference_interval(first, second) or (None, None)
    return PerformanceDrop(scope, label, metric, first, second, drop, lower, upper)
