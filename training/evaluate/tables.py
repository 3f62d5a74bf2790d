"""An evaluation as a table: for a person (rich) and for further work (pandas)."""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import zip_longest

import pandas as pd
from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from training.evaluate.evaluation import Evaluation, Metric, Scope
from training.evaluate.intervals import Estimate

FRAME_COLUMNS = ("scope", "group", "label", "metric", "value", "lower", "upper", "n", "method")

_OF_CLASS: dict[Metric, str] = {
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "f1": "F1",
    "auroc": "AUROC",
}
"""What the table shows of each class."""

_OF_ALL: dict[Metric, str] = {
    "accuracy": "accuracy",
    "two_class_accuracy": "2-class accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "macro_auroc": "macro AUROC",
    "ece": "calibration error",
}
"""What its title shows of all classes together."""

_MOST_GROUPS = 8
"""Groups of one column that the table has room for: the largest."""


def evaluation_frame(evaluation: Evaluation) -> pd.DataFrame:
    """Return one row per number: scope, group, label, metric and the estimate.

    `scope` is `all`, or the column that images are grouped by, and `group` its value; `label` is empty for
    metrics over all classes; a metric that is not defined has NaN as its value.
    """
    rows = [
        {"scope": scope, "group": group, "label": label, "metric": metric, **asdict(estimate)}
        for scope, group, measured in _scopes(evaluation)
        for label, metrics in (*measured.per_class.items(), ("", measured.overall))
        for metric, estimate in metrics.items()
    ]
    return pd.DataFrame(rows, columns=list(FRAME_COLUMNS)).astype(
        {"value": float, "lower": float, "upper": float}
    )


def evaluation_table(evaluation: Evaluation) -> Group:
    """Return one screen of 80 columns: all classes, each class, and accuracy and AUROC of each group.

    Everything else, such as the metrics per class within a group, is in `evaluation_frame` only.
    """
    return Group(_class_table(evaluation), _group_table(evaluation))


def _class_table(evaluation: Evaluation) -> Table:
    """Return the metrics of each reported class over the whole split, each over its interval."""
    table = _empty_table(_title(evaluation), "class", "n/of", *_OF_CLASS.values())
    for label, metrics in evaluation.whole.per_class.items():
        images = f"{evaluation.whole.counts[label]}/{evaluation.n_images}"
        table.add_row(escape(label), images, *(_cell(metrics[metric]) for metric in _OF_CLASS))
    return table


def _group_table(evaluation: Evaluation) -> Table:
    """Return one line for each group, the warnings and how to read the numbers."""
    several = len(evaluation.labels) > 2
    table = _empty_table(None, "group", "images", "accuracy", "macro AUROC" if several else "AUROC")
    table.caption = _caption(evaluation)
    for column, groups in evaluation.groups.items():
        table.add_row(f"[italic]per {column}")
        by_size = sorted(groups.items(), key=lambda item: -_size(item[1]))
        for name, measured in by_size[:_MOST_GROUPS]:
            auroc = (
                measured.overall["macro_auroc"]
                if several
                else measured.per_class[evaluation.labels[1]]["auroc"]
            )
            cells = (str(_size(measured)), _line(measured.overall["accuracy"]), _line(auroc))
            table.add_row(f"  {escape(name)}", *cells)
        if len(by_size) > _MOST_GROUPS:
            table.add_row(f"  and {len(by_size) - _MOST_GROUPS} smaller")
    return table


def _empty_table(title: str | None, first: str, *headings: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, min_width=78)
    table.title_justify = table.caption_justify = "left"
    table.add_column(first, overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _scopes(evaluation: Evaluation) -> Iterator[tuple[str, str, Scope]]:
    """Yield all images, then each group, as (scope, group, metrics)."""
    yield "all", "", evaluation.whole
    for column, groups in evaluation.groups.items():
        for group, measured in groups.items():
            yield column, group, measured


def _title(evaluation: Evaluation) -> str:
    """Return the number of images and, two to a line, the metrics over all classes."""
    overall = evaluation.whole.overall
    shown = {name: overall[metric] for metric, name in _OF_ALL.items() if metric in overall}
    cells = [f"{name} {_line(estimate)}" for name, estimate in shown.items()]
    if len(evaluation.labels) > 2:
        cells[0] = f"{len(evaluation.labels)}-class {cells[0]}"
    lines = [
        f"{left:<41}{right}".rstrip() for left, right in zip_longest(cells[::2], cells[1::2], fillvalue="")
    ]
    return "\n".join((f"{evaluation.n_images} images of {evaluation.n_patients} patients", *lines))


def _caption(evaluation: Evaluation) -> str:
    method = (
        "n/of: images of the class among all. In brackets 95 % intervals: Wilson for proportions, else "
        f"bootstrap of whole patients ({evaluation.n_bootstrap} times), Newcombe's for an AUROC that it "
        "leaves at 0 or 1. A dash: not defined for these images. table.csv, as logged, holds the rest."
    )
    return escape("\n".join((*evaluation.warnings, method)))


def _size(measured: Scope) -> int:
    return sum(measured.counts.values())


def _line(estimate: Estimate) -> str:
    return "-" if estimate.value is None else str(estimate)


def _cell(estimate: Estimate) -> str:
    """Return the value over its interval."""
    return _line(estimate).replace(" (", "\n").removesuffix(")")
