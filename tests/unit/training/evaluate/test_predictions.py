from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hilum.errors import UsageError
from training.errors import DataSetError
from training.evaluate.predictions import Predictions


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


def test_take_keeps_the_chosen_images_together() -> None:
    predictions = valid_predictions()
    taken = predictions.take(predictions.frame["source"] == "here")
    assert taken.truth.tolist() == [0, 1]
    assert taken.decided.tolist() == [0, 1]
    assert taken.probabilities.tolist() == [[0.9, 0.1], [0.2, 0.8]]
    assert taken.frame["path"].tolist() == ["a.png", "b.png"]
