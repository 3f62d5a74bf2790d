"""An evaluation as a table: for a person (rich) and for further work (pandas)."""

from collections.abc import Iterator
from dataclasses import asdict

import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table

from training.evaluate.evaluation import Evaluation, Metric, Scope
from training.evaluate.intervals import Estimate

FRAME_COLUMNS = ("scope", "group", "label", "metric", "value", "lower", "upper", "n", "method")

_SHOWN: dict[Metric, str] = {
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "auroc": "AUROC",
    "average_precision": "AP",
}


def evaluation_frame(evaluation: Evaluation) -> pd.DataFrame:
    """Return one row per number: scope (`all`, `source`, `kind`), group, label, metric and the estimate.

    `group` is the source or kind, empty for all images; `label` is empty for metrics over all classes;
    a metric that is not defined has NaN as its value.
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


def evaluation_table(evaluation: Evaluation) -> Table:
    """Return the metrics per class of all images, then of each source and kind, with 95 % intervals below.

    It fits 80 columns. Precision and the metrics over all classes per group are in `evaluation_frame` only.
    """
    table = Table(title=_title(evaluation), caption=_caption(evaluation), box=box.SIMPLE_HEAD, pad_edge=False)
    table.title_justify = table.caption_justify = "left"
    table.collapse_padding = True
    table.add_column("images")
    for heading in ("n/of", *_SHOWN.values()):
        table.add_column(heading, justify="right")
    previous = "all"
    for scope, group, measured in _scopes(evaluation):
        if scope != previous:
            table.add_section()
            table.add_row(f"[italic]per {scope}")
        previous = scope
        name = escape(group) or "all"
        if len(measured.per_class) > 1:
            table.add_row(f"[bold]{name}")
        for label, metrics in measured.per_class.items():
            row_name = f"  {label}" if len(measured.per_class) > 1 else name
            images = f"{measured.counts[label]}/{sum(measured.counts.values())}"
            table.add_row(row_name, images, *(_cell(metrics[metric]) for metric in _SHOWN))
    return table


def _scopes(evaluation: Evaluation) -> Iterator[tuple[str, str, Scope]]:
    """Yield all images, then each group, as (scope, group, metrics)."""
    yield "all", "", evaluation.whole
    for column, groups in evaluation.groups.items():
        for group, measured in groups.items():
            yield column, group, measured


def _title(evaluation: Evaluation) -> str:
    overall = "".join(
        f"\n{metric.replace('_', ' ').replace('auroc', 'AUROC')} {estimate}"
        for metric, estimate in evaluation.whole.overall.items()
    )
    return f"{evaluation.n_images} images of {evaluation.n_patients} patients{overall}"


def _caption(evaluation: Evaluation) -> str:
    method = (
        "n/of: images of the class among all. AP: average precision. 95 % intervals: Wilson for proportions, "
        f"else bootstrap of whole patients ({evaluation.n_bootstrap} times), Newcombe's for an AUROC that "
        "resampling leaves at 0 or 1. A dash: not defined for these images."
    )
    return "\n".join((*evaluation.warnings, method))


def _cell(estimate: Estimate) -> str:
    """Return the value over its interval."""
    if estimate.value is None:
        return "-"
    return str(estimate).replace(" (", "\n").removesuffix(")")
