from dataclasses import replace
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.artist import getp
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.metrics import auc

from hilum.errors import UsageError
from tests.support.predictions import CLASSES, synthetic_predictions
from training.evaluate.evaluation import Evaluation, evaluate
from training.evaluate.figures import (
    confusion_figure,
    figures,
    precision_recall_figure,
    probability_histogram_figure,
    roc_figure,
    training_curves_figure,
)
from training.evaluate.predictions import Predictions

FILTER_LABELS = ("non_valid", "valid")


def evaluated(predictions: Predictions) -> tuple[Evaluation, Predictions]:
    return evaluate(predictions, n_bootstrap=100), predictions


def legend(figure: Figure) -> dict[str, str]:
    """Return colour by text of the first axes' legend."""
    drawn = figure.axes[0].get_legend()
    assert drawn is not None
    texts = [text.get_text() for text in drawn.get_texts()]
    colours = [
        getp(handle, "color" if isinstance(handle, Line2D) else "edgecolor")
        for handle in drawn.legend_handles
        if handle is not None
    ]
    return dict(zip(texts, map(to_hex, colours), strict=True))


def curve(figure: Figure, label: str) -> Line2D:
    lines = [line for line in figure.axes[0].get_lines() if str(line.get_label()).startswith(label)]
    assert len(lines) == 1
    return lines[0]


def write_png(figure: Figure) -> bytes:
    stream = BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


@pytest.mark.parametrize("labels", [CLASSES, FILTER_LABELS])
def test_every_figure_can_be_saved_and_has_named_axes(labels: tuple[str, ...]) -> None:
    made = figures(*evaluated(synthetic_predictions(labels)))
    assert list(made) == ["confusion_matrix", "roc", "precision_recall", "probability_histogram"]
    for figure in made.values():
        assert write_png(figure).startswith(b"\x89PNG")
        assert figure.axes[-1].get_xlabel() or figure.axes[-1].get_ylabel()
        assert figure.axes[0].get_ylabel()


def test_the_confusion_matrix_shows_images_and_share_of_the_true_class() -> None:
    evaluation, _ = evaluated(synthetic_predictions())
    texts = [text.get_text() for text in confusion_figure(evaluation).axes[0].texts]
    counts = np.array(evaluation.confusion)
    expected = [
        f"{counts[row, column]}\n{100 * counts[row, column] / counts[row].sum():.1f} %"
        for row in range(3)
        for column in range(3)
    ]
    assert texts == expected


def test_a_class_has_one_colour_in_every_figure() -> None:
    evaluation, predictions = evaluated(synthetic_predictions())
    legends = [
        legend(roc_figure(evaluation, predictions)),
        legend(precision_recall_figure(evaluation, predictions)),
        legend(probability_histogram_figure(predictions)),
    ]
    colours = [
        [next(colour for text, colour in entries.items() if text.startswith(label)) for label in CLASSES]
        for entries in legends
    ]
    assert colours[0] == colours[1] == colours[2]
    assert len(set(colours[0])) == 3


def test_the_roc_curve_has_the_area_that_its_legend_gives() -> None:
    evaluation, predictions = evaluated(synthetic_predictions())
    figure = roc_figure(evaluation, predictions)
    for label in CLASSES:
        line = curve(figure, label)
        rates, sensitivities = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        auroc = evaluation.whole.per_class[label]["auroc"]
        assert auc(rates, sensitivities) == pytest.approx(auroc.value)
        assert f"AUROC {auroc}" in str(line.get_label())


def test_the_roc_band_surrounds_the_curve() -> None:
    evaluation, predictions = evaluated(synthetic_predictions())
    figure = roc_figure(evaluation, predictions)
    *bands, _ = figure.axes[0].collections  # the last is the legend's patch
    for label, vertices in zip(CLASSES, (band.get_paths()[0].vertices for band in bands), strict=True):
        line = curve(figure, label)
        at = np.interp(0.3, np.asarray(line.get_xdata()), np.asarray(line.get_ydata()))
        band = np.asarray(vertices)
        near = band[np.isclose(band[:, 0], 0.3)][:, 1]
        assert near.min() <= at <= near.max()
        assert near.max() - near.min() > 0.02


def test_what_is_not_defined_is_named_in_the_legend_and_not_drawn() -> None:
    complete = synthetic_predictions()
    evaluation, predictions = evaluated(complete.take(pd.Series(complete.truth != 1)))
    for figure in (roc_figure(evaluation, predictions), precision_recall_figure(evaluation, predictions)):
        absent = curve(figure, "lung_opacity")
        assert "not defined" in str(absent.get_label())
        assert len(np.asarray(absent.get_xdata())) == 0
    for figure in figures(evaluation, predictions).values():
        write_png(figure)


def test_perfect_separation_draws_no_band() -> None:
    evaluation, predictions = evaluated(synthetic_predictions(FILTER_LABELS, skill=50))
    bands = roc_figure(evaluation, predictions).axes[0].collections
    assert [band.get_label() for band in bands] == ["95 % band, pointwise"]  # the legend's patch only


def test_decisions_are_drawn_where_they_were_made() -> None:
    predictions = synthetic_predictions(FILTER_LABELS)
    decided = (predictions.probabilities[:, 1] > 0.9).astype(int)
    evaluation, predictions = evaluated(replace(predictions, decided=decided))
    metrics = evaluation.whole.per_class["valid"]
    assert metrics["specificity"].value is not None
    points = [
        (np.asarray(line.get_xdata()).item(), np.asarray(line.get_ydata()).item())
        for line in roc_figure(evaluation, predictions).axes[0].get_lines()
        if line.get_marker() == "o" and len(np.asarray(line.get_xdata()))
    ]
    assert points == [(1 - metrics["specificity"].value, metrics["sensitivity"].value)]


def history(n_epochs: int) -> pd.DataFrame:
    epochs = np.arange(n_epochs)
    return pd.DataFrame(
        {
            "epoch": epochs,
            "train_loss": 1 / (1 + epochs),
            "val_loss": 1.2 / (1 + epochs),
            "learning_rate": 1e-3 / (1 + epochs),
            "val_auroc": np.where(epochs == 1, np.nan, 0.9),
        }
    )


@pytest.mark.parametrize("n_epochs", [1, 6])
def test_training_curves_show_loss_metric_and_learning_rate(n_epochs: int) -> None:
    figure = training_curves_figure(history(n_epochs))
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "validation metric", "learning rate"]
    drawn = [line.get_label() for axes in figure.axes for line in axes.get_lines()]
    assert drawn == ["train_loss", "val_loss", "val_auroc", "learning_rate"]
    assert np.asarray(figure.axes[0].get_lines()[1].get_ydata())[0] == 1.2
    assert figure.axes[-1].get_xlabel() == "epoch"
    write_png(figure)


def test_a_learning_rate_is_drawn_by_its_logarithm_unless_it_reaches_zero() -> None:
    assert training_curves_figure(history(3)).axes[-1].get_yscale() == "log"
    for rates in ([2e-3, 1e-3, 0.0], [0.0, 0.0, 0.0]):
        figure = training_curves_figure(history(3).assign(learning_rate=rates))
        assert figure.axes[-1].get_yscale() == "linear"
        write_png(figure)


def test_training_curves_without_a_metric_leave_its_panel_out() -> None:
    figure = training_curves_figure(history(3).drop(columns="val_auroc"))
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "learning rate"]


def test_training_curves_say_what_they_lack() -> None:
    with pytest.raises(
        UsageError, match=r"need one row or more .* got 2 rows with epoch, train_loss, val_auroc"
    ):
        training_curves_figure(history(2)[["epoch", "train_loss", "val_auroc"]])
    with pytest.raises(UsageError, match="got 0 rows"):
        training_curves_figure(history(0))
