from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from tests.support.predictions import CLASSES, synthetic_predictions
from training.evaluate.evaluation import Evaluation, Metric, evaluate
from training.evaluate.tables import FRAME_COLUMNS, evaluation_frame, evaluation_table

FILTER_LABELS = ("non_valid", "valid")


def printed(evaluation: Evaluation) -> str:
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(evaluation_table(evaluation))
    return capture.get()


def test_the_frame_holds_every_number_once() -> None:
    evaluation = evaluate(synthetic_predictions(), n_bootstrap=100)
    frame = evaluation_frame(evaluation)
    assert tuple(frame.columns) == FRAME_COLUMNS
    # The whole, three sources and two kinds, each with eight metrics of three classes and those of all.
    assert len(frame) == 6 * (3 * 8 + len(evaluation.whole.overall))
    assert set(frame["scope"]) == {"all", "source", "kind"}
    assert not frame.duplicated(["scope", "group", "label", "metric"]).any()
    row = frame.query("scope == 'source' and group == 'north' and label == 'covid19' and metric == 'auroc'")
    estimate = evaluation.groups["source"]["north"].per_class["covid19"]["auroc"]
    assert row["value"].item() == estimate.value
    assert row["lower"].item() == estimate.lower
    assert row["upper"].item() == estimate.upper
    assert (row["n"].item(), row["method"].item()) == (estimate.n, "patient_bootstrap")
    macro = frame.query("scope == 'all' and label == '' and metric == 'macro_auroc'")
    assert macro["value"].item() == evaluation.headline.value


def test_what_is_not_defined_is_nan_in_the_frame() -> None:
    frame = evaluation_frame(evaluate(synthetic_predictions(), n_bootstrap=100))
    undefined = frame.query("group == 'one_class' and metric == 'auroc'")
    assert len(undefined) == 3
    assert np.isnan(undefined["value"]).all()
    assert (undefined["n"] > 0).all()


@pytest.mark.parametrize("labels", [CLASSES, FILTER_LABELS])
def test_the_table_fits_eighty_columns_whole(labels: tuple[str, ...]) -> None:
    evaluation = evaluate(synthetic_predictions(labels), n_bootstrap=100)
    text = printed(evaluation)
    assert "…" not in text
    label = labels[-1]
    for name in ("sensitivity", "specificity", "f1", "auroc"):
        estimate = evaluation.whole.per_class[label][name]
        assert f"{estimate.value:.3f}" in text
        assert f"{estimate.lower:.3f}-{estimate.upper:.3f}" in text
    assert f"{evaluation.whole.counts[label]}/120" in text
    for group in ("north", "south", "one_class"):
        assert group in text
    north = evaluation.groups["source"]["north"].overall["accuracy"]
    assert str(north) in text
    assert "per kind" in text
    assert "120 images of 60 patients" in text
    shown: tuple[Metric, ...] = ("accuracy", "balanced_accuracy", "macro_f1", "ece")
    for metric in shown:
        assert str(evaluation.whole.overall[metric]) in text


def test_the_table_is_one_screen_however_many_groups_there_are() -> None:
    predictions = synthetic_predictions(n_images=240)
    image = np.arange(240)
    frame = predictions.frame.assign(
        source=[f"hospital {i % 23}" for i in image],
        view=[f"view {i % 12}" for i in image],
        sex=np.where(image % 2, "F", "M"),
        age=(image % 90).astype(str),
    )
    text = printed(evaluate(replace(predictions, frame=frame), n_bootstrap=100))
    assert len(text.splitlines()) <= 60
    assert max(map(len, text.splitlines())) <= 80
    assert "and 15 smaller" in text
    assert "60-79" in text


def test_the_table_carries_the_warnings() -> None:
    predictions = synthetic_predictions(FILTER_LABELS)
    named = predictions.frame.assign(source=np.where(predictions.truth == 1, "[red]", "[/b]"))
    text = printed(evaluate(replace(predictions, frame=named), n_bootstrap=100))
    assert "The source nearly gives the class away" in text
    assert "[red]" in text  # a source's name is no markup
    assert "[/b]" in text
