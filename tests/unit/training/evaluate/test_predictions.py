from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from hilum.errors import UsageError
from training.errors import DataSetError
from training.evaluate.predictions import (
    Predictions,
    load_predictions,
    predictions_frame,
    read_predictions,
)


def valid_predictions() -> Predictions:
    return Predictions(
        labels=("non_valid", "valid"),
        truth=np.array([0, 1, 1]),
        probabilities=np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]),
        decided=np.array([0, 1, 0]),
        frame=pd.DataFrame(
            {
                "path": ["a.png", "b.png", "c.png"],
                "source": ["here", "here", "there"],
                "patient_id": ["p1", "p2", "p2"],
                "kind": ["ct", "frontal_cxr", "frontal_cxr"],
            }
        ),
    )


def test_no_image_is_refused() -> None:
    with pytest.raises(DataSetError, match="no image to evaluate"):
        replace(
            valid_predictions(),
            truth=np.array([], dtype=int),
            probabilities=np.empty((0, 2)),
            decided=np.array([], dtype=int),
            frame=valid_predictions().frame.iloc[:0],
        )


@pytest.mark.parametrize(
    "change",
    [
        {"truth": np.array([0, 1])},
        {"decided": np.array([[0], [1], [0]])},
        {"probabilities": np.full((3, 3), 1 / 3)},
        {"probabilities": np.array([0.9, 0.8, 0.4])},
        {"labels": ("non_valid", "valid", "odd")},
    ],
)
def test_shapes_that_disagree_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"Predictions of 3 images and \d classes need .* got \("):
        replace(valid_predictions(), **change)


def test_a_single_class_is_refused() -> None:
    with pytest.raises(UsageError, match="2 or more classes"):
        replace(valid_predictions(), labels=("valid",), probabilities=np.ones((3, 1)))


@pytest.mark.parametrize("name", ["truth", "decided"])
@pytest.mark.parametrize("classes", [np.array([0, 1, 2]), np.array([-1, 0, 1]), np.array([0.0, 1.0, 0.0])])
def test_classes_without_a_label_are_refused(name: str, classes: Any) -> None:
    with pytest.raises(UsageError, match=f"`{name}` must hold integers from 0 to 1"):
        replace(valid_predictions(), **{name: classes})


@pytest.mark.parametrize("row", [[np.nan, np.nan], [0.4, 0.4], [1.2, -0.2], [np.inf, 0.0]])
def test_broken_probabilities_are_refused_naming_the_first_image(row: list[float]) -> None:
    probabilities = np.array([[0.9, 0.1], row, row])
    with pytest.raises(DataSetError, match=r"probabilities of 2 of 3 images .* first those of b\.png"):
        replace(valid_predictions(), probabilities=probabilities)


def test_probabilities_rounded_to_half_precision_are_accepted() -> None:
    half = valid_predictions().probabilities.astype(np.float16).astype(np.float64)
    assert len(replace(valid_predictions(), probabilities=half).truth) == 3


def test_a_missing_or_empty_column_is_refused() -> None:
    frame = valid_predictions().frame
    with pytest.raises(DataSetError, match="lack the column source, kind"):
        replace(valid_predictions(), frame=frame.drop(columns=["source", "kind"]))
    with pytest.raises(DataSetError, match="column patient_id is empty for 2 of 3"):
        replace(valid_predictions(), frame=frame.assign(patient_id=["p1", np.nan, np.nan]))


@pytest.mark.parametrize("name", ["logits", "embeddings"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_logits_and_embeddings_that_are_no_numbers_are_refused(name: str, wrong: float) -> None:
    rows: Any = np.zeros((3, 2))
    rows[1:] = wrong
    with pytest.raises(DataSetError, match=rf"{name} of 2 of 3 images are NaN or infinite, first .* b\.png"):
        replace(valid_predictions(), **{name: rows})


@pytest.mark.parametrize(("name", "shape"), [("logits", (3, 3)), ("logits", (2, 2)), ("embeddings", (4, 7))])
def test_logits_and_embeddings_of_another_shape_are_refused(name: str, shape: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=rf"`{name}` of 3 images must have the shape \(3, "):
        replace(valid_predictions(), **{name: cast(Any, np.zeros(shape))})


def test_take_keeps_the_chosen_images_together() -> None:
    predictions = valid_predictions()
    taken = predictions.take(predictions.frame["source"] == "here")
    assert taken.truth.tolist() == [0, 1]
    assert taken.decided.tolist() == [0, 1]
    assert taken.probabilities.tolist() == [[0.9, 0.1], [0.2, 0.8]]
    assert taken.frame["path"].tolist() == ["a.png", "b.png"]
    whole = replace(predictions, logits=np.arange(6.0).reshape(3, 2), embeddings=np.eye(3, dtype=np.float32))
    taken = whole.take(predictions.frame["source"] == "there")
    assert taken.logits is not None
    assert taken.embeddings is not None
    assert taken.logits.tolist() == [[4.0, 5.0]]
    assert taken.embeddings.tolist() == [[0, 0, 1]]


def stored_predictions() -> Predictions:
    random = np.random.default_rng(0)
    logits = random.normal(size=(3, 2)) * 1e-3
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    frame = valid_predictions().frame.assign(
        patient_id=["01", "1", "NA"], view=["PA", "", "AP, supine"], age=["45", "", "7"], turns=[0, 0, 1]
    )
    return replace(valid_predictions(), probabilities=probabilities, logits=logits, frame=frame)


def test_stored_predictions_come_back_exactly(tmp_path: Path) -> None:
    predictions = stored_predictions()
    predictions_frame(predictions).to_csv(tmp_path / "predictions.csv", index=False)
    read = load_predictions(tmp_path / "predictions.csv")
    assert read.labels == predictions.labels
    assert read.logits is not None
    for name in ("truth", "probabilities", "decided", "logits"):
        np.testing.assert_array_equal(getattr(read, name), getattr(predictions, name))
    carried = ["path", "source", "patient_id", "kind", "view", "age"]
    pd.testing.assert_frame_equal(read.frame[carried], predictions.frame[carried])
    assert read.frame["label"].tolist() == ["non_valid", "valid", "valid"]


def test_the_table_of_predictions_reads_by_itself() -> None:
    frame = predictions_frame(stored_predictions())
    assert frame.columns.tolist() == [
        *("path", "source", "patient_id", "kind", "view", "age", "label"),
        *("prob_non_valid", "prob_valid", "logit_non_valid", "logit_valid", "decided"),
    ]
    assert frame["decided"].tolist() == ["non_valid", "valid", "non_valid"]
    without = predictions_frame(valid_predictions())
    assert not any(str(column).startswith("logit_") for column in without)
    assert read_predictions(without).logits is None


def test_a_table_that_holds_no_predictions_is_refused(tmp_path: Path) -> None:
    frame = predictions_frame(stored_predictions())
    with pytest.raises(DataSetError, match=r"lacks the column decided\. .* stores as predictions\.csv"):
        read_predictions(frame.drop(columns="decided"))
    with pytest.raises(DataSetError, match="lacks the column prob_CLASS"):
        read_predictions(frame.drop(columns=["prob_valid", "prob_non_valid"]))
    with pytest.raises(DataSetError, match="lack the column source"):
        read_predictions(frame.drop(columns="source"))
    with pytest.raises(
        DataSetError, match="label of the predictions holds ct; expected one of non_valid, valid"
    ):
        read_predictions(frame.assign(label=["ct", "valid", "valid"]))
    with pytest.raises(DataSetError, match="prob_non_valid, prob_valid must hold numbers"):
        read_predictions(frame.astype({"prob_valid": str}).assign(prob_valid=["0.5", "high", "0.5"]))
    with pytest.raises(DataSetError, match="probabilities of 1 of 3 images are NaN"):
        read_predictions(frame.assign(prob_valid=[0.5, np.nan, 0.5]))
    with pytest.raises(DataSetError, match="cannot be read as a table"):
        load_predictions(tmp_path / "nothing.csv")
