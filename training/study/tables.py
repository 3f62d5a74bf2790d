"""The result of a study as a table and as figures."""

from dataclasses import asdict

import pandas as pd
from matplotlib.figure import Figure
from rich import box
from rich.table import Table

from training.evaluate.figures import figures
from training.study.pooled import Summary

COLUMNS = ("metric", "value", "lower", "upper", "n", "method", "mean", "sd", "networks")


def summary_frame(summary: Summary) -> pd.DataFrame:
    """Return one row per number: pooled with its interval, then mean and deviation over networks."""
    rows = []
    for name, estimate in summary.estimates.items():
        spread = summary.spreads[name]
        over = {"mean": spread.mean, "sd": spread.sd, "networks": spread.n}
        rows.append({"metric": name, **asdict(estimate), **over})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def summary_table(summary: Summary, title: str) -> Table:
    """Return the same for a person."""
    caption = (
        f"{summary.n_images} images of {summary.evaluation.n_patients} patients, tested by networks that "
        "never saw the patient. Pooled: what all networks said, with its 95 % interval. Over networks: mean "
        "and standard deviation, which is no standard error, since they share training images. n: images "
        "that the pooled number is about, each counted once."
    )
    captions = "\n".join((*summary.evaluation.warnings, caption))
    table = Table(title=title, caption=captions, box=box.SIMPLE_HEAD, pad_edge=False)
    table.title_justify = table.caption_justify = "left"
    table.add_column("metric")
    for heading in ("n", "pooled", f"over {len(summary.networks)} networks"):
        table.add_column(heading, justify="right")
    for name, estimate in summary.estimates.items():
        table.add_row(name, str(estimate.n), str(estimate), str(summary.spreads[name]))
    return table


def summary_figures(summary: Summary) -> dict[str, Figure]:
    """Return every figure of the pooled evaluation by its file name without suffix."""
    return figures(summary.evaluation, summary.predictions)
