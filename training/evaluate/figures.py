"""An evaluation, and a training run, as figures for MLflow and for a report.

Figures are objects of their own (no pyplot): nothing is shown, and none outlives its caller.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hilum.errors import UsageError
from training.evaluate.evaluation import Evaluation, Metric
from training.evaluate.intervals import Estimate, bootstrap_replicates
from training.evaluate.metrics import Floats, Ranking
from training.evaluate.palette import DPI, line_style
from training.evaluate.predictions import Predictions

TRAINING_COLUMNS = ("epoch", "train_loss", "val_loss", "learning_rate")
"""Columns that training curves need."""

_RATES = np.linspace(0, 1, 201)
"""False positive rates at which the band of a ROC curve is drawn."""


def figures(evaluation: Evaluation, predictions: Predictions) -> dict[str, Figure]:
    """Return every figure of an evaluation by its file name without suffix.

    Args:
        evaluation: what `evaluate` returned.
        predictions: what it was given.
    """
    return {
        "confusion_matrix": confusion_figure(evaluation),
        "roc": roc_figure(evaluation, predictions),
        "precision_recall": precision_recall_figure(evaluation, predictions),
        "probability_histogram": probability_histogram_figure(predictions),
    }


def confusion_figure(evaluation: Evaluation) -> Figure:
    """Return the confusion matrix: images, and their share of the true class in percent."""
    counts = np.array(evaluation.confusion)
    n_true = counts.sum(axis=1)
    percent = 100 * counts / np.maximum(n_true, 1)[:, None]
    side = 2.2 + 1.1 * len(counts)
    figure, axes = _new_figure(width=side + 1.2, height=side - 0.3)
    picture = axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    for (row, column), count in np.ndenumerate(counts):
        share = f"\n{percent[row, column]:.1f} %" if n_true[row] else ""
        colour = "white" if percent[row, column] > 55 else "black"
        axes.text(column, row, f"{count}{share}", ha="center", va="center", color=colour)
    axes.set_xticks(range(len(counts)), evaluation.labels)
    names = [f"{label}\n(n = {n})" for label, n in zip(evaluation.labels, n_true, strict=True)]
    axes.set_yticks(range(len(counts)), names)
    axes.set(xlabel="decided class", ylabel="true class")
    axes.set_title(_title(evaluation), fontsize="medium")
    figure.colorbar(picture, ax=axes, label="share of the true class (%)", shrink=0.8)
    return figure


def roc_figure(evaluation: Evaluation, predictions: Predictions) -> Figure:
    """Return the ROC curve of each reported class, with the bootstrap's pointwise 95 % band."""
    figure, axes = _new_figure(width=5.6, height=5.6)
    for k, name, metrics in _reported(evaluation, predictions):
        auroc, style = metrics["auroc"], line_style(k)
        rates, sensitivities = np.array([]), np.array([])
        if auroc.value is not None:
            ranking = Ranking.of(predictions.probabilities[:, k], predictions.truth == k)
            rates, sensitivities = (curve[0] for curve in ranking.roc_curve(_once(predictions)))
            if auroc.method == "patient_bootstrap":
                lower, upper = _roc_band(ranking, evaluation, predictions)
                axes.fill_between(_RATES, lower, upper, color=style["color"], alpha=0.15, linewidth=0)
        axes.plot(rates, sensitivities, label=f"{name}: AUROC {auroc}", **style)
        _mark_decision(
            axes, _one_minus(metrics["specificity"].value), metrics["sensitivity"].value, style["color"]
        )
    axes.plot([0, 1], [0, 1], color="0.5", linewidth=0.8, linestyle="dotted", label="chance")
    axes.fill_between([], [], color="0.5", alpha=0.3, linewidth=0, label="95 % band, pointwise")
    axes.set_title(f"{_title(evaluation)}; in brackets: 95 % interval", fontsize="medium")
    axes.set(xlabel="false positive rate (1 - specificity)", ylabel="true positive rate (sensitivity)")
    _finish(axes, legend="lower right")
    return figure


def precision_recall_figure(evaluation: Evaluation, predictions: Predictions) -> Figure:
    """Return the precision-recall curve of each reported class; its prevalence is what chance would give."""
    figure, axes = _new_figure(width=5.6, height=5.6)
    for k, name, metrics in _reported(evaluation, predictions):
        area, style = metrics["average_precision"], line_style(k)
        precisions, recalls = np.array([]), np.array([])
        if area.value is not None:
            ranking = Ranking.of(predictions.probabilities[:, k], predictions.truth == k)
            [precisions], [recalls] = ranking.precision_recall_curve(_once(predictions))
            axes.axhline(
                float(np.mean(ranking.positive)), color=style["color"], linewidth=0.8, linestyle="dotted"
            )
        axes.step(recalls, precisions, label=f"{name}: AP {area}", **style)
        _mark_decision(axes, metrics["sensitivity"].value, metrics["precision"].value, style["color"])
    axes.plot([], [], color="0.5", linewidth=0.8, linestyle="dotted", label="chance (prevalence)")
    axes.set_title(f"{_title(evaluation)}; in brackets: 95 % interval", fontsize="medium")
    axes.set(xlabel="recall (sensitivity)", ylabel="precision (positive predictive value)")
    _finish(axes, legend="lower left")
    return figure


def probability_histogram_figure(predictions: Predictions) -> Figure:
    """Return, for each reported class, how its probability is spread over the images of each true class."""
    panels = predictions.reported
    figure = Figure(figsize=(6.4, 1.2 + 1.9 * len(panels)), dpi=DPI, layout="constrained")
    rows: list[Axes] = list(figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0])
    for axes, k in zip(rows, panels, strict=True):
        for true, label in enumerate(predictions.labels):
            chosen = predictions.probabilities[predictions.truth == true, k]
            axes.hist(
                chosen,
                bins=25,
                range=(0, 1),
                weights=np.full(len(chosen), 100 / max(len(chosen), 1)),
                histtype="step",
                linewidth=1.4,
                label=f"{label} (n = {len(chosen)})",
                **line_style(true),
            )
        axes.set(xlim=(0, 1), ylabel="images of the\ntrue class (%)")
        axes.set_title(f"probability of {predictions.labels[k]}", fontsize="medium", loc="left")
        axes.grid(alpha=0.3)
    rows[0].legend(title="true class", fontsize="small", title_fontsize="small", loc="upper center")
    rows[-1].set_xlabel("probability given by the network")
    return figure


def training_curves_figure(history: pd.DataFrame) -> Figure:
    """Return losses, validation metrics and learning rate by epoch, one panel each.

    Args:
        history: one row per epoch with the columns of `TRAINING_COLUMNS`; every other column that starts
            with `val_` is drawn as a validation metric. A missing value leaves a gap.

    Raises:
        UsageError: a column is missing, or there is no row.
    """
    if history.empty or any(column not in history for column in TRAINING_COLUMNS):
        raise UsageError(
            f"Training curves need one row or more with {', '.join(TRAINING_COLUMNS)}; got {len(history)} "
            f"rows with {', '.join(map(str, history.columns)) or 'no column'}."
        )
    metrics = [str(name) for name in history if str(name).startswith("val_") and name != "val_loss"]
    panels = {
        "loss": ["train_loss", "val_loss"],
        "validation metric": metrics,
        "learning rate": ["learning_rate"],
    }
    panels = {ylabel: columns for ylabel, columns in panels.items() if columns}
    figure = Figure(figsize=(6.4, 0.8 + 1.9 * len(panels)), dpi=DPI, layout="constrained")
    rows: list[Axes] = list(figure.subplots(len(panels), 1, sharex=True))
    for axes, (ylabel, columns) in zip(rows, panels.items(), strict=True):
        _draw_curves(axes, history, columns)
        axes.set_ylabel(ylabel)
    if history["learning_rate"].min() > 0:
        rows[-1].set_yscale("log")
    rows[-1].set_xlabel("epoch")
    rows[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _title(evaluation: Evaluation) -> str:
    return f"{evaluation.n_images} images of {evaluation.n_patients} patients"


def _new_figure(*, width: float, height: float) -> tuple[Figure, Axes]:
    """Return an empty figure, in inches, with one pair of axes."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    return figure, figure.subplots()


def _reported(
    evaluation: Evaluation, predictions: Predictions
) -> Iterator[tuple[int, str, Mapping[Metric, Estimate]]]:
    """Yield index, name with its number of images, and metrics of each reported class."""
    for k in predictions.reported:
        label = evaluation.labels[k]
        yield k, f"{label} (n = {evaluation.whole.counts[label]})", evaluation.whole.per_class[label]


def _once(predictions: Predictions) -> Floats:
    """Return the (1, N) weights that count every image once."""
    return np.ones((1, len(predictions.truth)))


def _one_minus(value: float | None) -> float | None:
    return None if value is None else 1 - value


def _roc_band(ranking: Ranking, evaluation: Evaluation, predictions: Predictions) -> tuple[Floats, Floats]:
    """Return the 2.5 and 97.5 % percentiles of the bootstrapped sensitivity at each of `_RATES`."""

    def sensitivities(weights: Floats) -> Floats:
        curves = zip(*ranking.roc_curve(weights), strict=True)
        return np.stack([np.interp(_RATES, rates, reached) for rates, reached in curves])

    replicates = bootstrap_replicates(
        sensitivities,
        predictions.frame["patient_id"].astype(str),
        n_bootstrap=evaluation.n_bootstrap,
        seed=evaluation.seed,
    )
    lower, upper = np.nanpercentile(replicates, [2.5, 97.5], axis=0)
    return lower, upper


def _mark_decision(axes: Axes, x: float | None, y: float | None, colour: str) -> None:
    """Draw the decisions that were made as a point, where both of its metrics are defined."""
    if x is not None and y is not None:
        axes.plot(x, y, marker="o", markersize=7, color=colour, markeredgecolor="black", linestyle="none")


def _finish(axes: Axes, *, legend: Literal["lower left", "lower right"]) -> None:
    """Give both axes the range of a proportion, explain the points, and place the legend."""
    axes.plot(
        [], [], marker="o", color="white", markeredgecolor="black", linestyle="none", label="decisions made"
    )
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.grid(alpha=0.3)
    axes.legend(loc=legend, fontsize="small")


def _draw_curves(axes: Axes, history: pd.DataFrame, columns: list[str]) -> None:
    for index, column in enumerate(columns):
        axes.plot(history["epoch"], history[column], marker=".", label=column, **line_style(index))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
