"""What a network said about labelled images, checked, stored and read: the input of every evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hilum.errors import UsageError
from training.errors import DataSetError
from training.evaluate.metrics import Floats, Integers

FRAME_COLUMNS = ("path", "source", "patient_id", "kind")
"""Columns that the frame of `Predictions` must have."""

SUBGROUP_COLUMNS = ("view", "sex", "age", "finding")
"""Columns that tell more of an image, where a data set has them."""

_PROBABILITY, _LOGIT = "prob_", "logit_"


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a network said about N labelled images, and what was decided from it."""

    labels: tuple[str, ...]
    """Names of the K classes, 2 or more; for the filter `("non_valid", "valid")`."""
    truth: Integers
    """(N,) true class of each image, in [0, K)."""
    probabilities: Floats
    """(N, K) probabilities, each row summing to 1."""
    decided: Integers
    """(N,) class decided by the rule that serving uses, in [0, K)."""
    frame: pd.DataFrame
    """N rows with the columns of `FRAME_COLUMNS`, and any of `SUBGROUP_COLUMNS`; others are ignored."""
    logits: Floats | None = None
    """(N, K), before any temperature; None where only probabilities are known."""
    embeddings: NDArray[np.float32] | None = None
    """(N, D) pooled features; None where they are not needed."""

    def __post_init__(self) -> None:
        n, k = len(self.frame), len(self.labels)
        if n == 0:
            raise DataSetError("There is no image to evaluate. Choose a split that has labelled images.")
        shapes = (np.shape(self.truth), np.shape(self.probabilities), np.shape(self.decided))
        if k < 2 or shapes != ((n,), (n, k), (n,)):
            raise UsageError(
                f"Predictions of {n} images and {k} classes need 2 or more classes, truth ({n},), "
                f"probabilities ({n}, {k}) and decided ({n},); got {shapes[0]}, {shapes[1]} and {shapes[2]}."
            )
        self._check_frame()
        self._check_classes("truth", self.truth)
        self._check_classes("decided", self.decided)
        self._check_probabilities()
        for name, rows in (("logits", self.logits), ("embeddings", self.embeddings)):
            self._check_rows(name, rows)

    def _check_frame(self) -> None:
        missing = [column for column in FRAME_COLUMNS if column not in self.frame]
        if missing:
            raise DataSetError(
                f"The evaluated images lack the column {', '.join(missing)}: add it to metadata.csv."
            )
        for column in FRAME_COLUMNS:
            empty = int(self.frame[column].isna().sum())
            if empty:
                raise DataSetError(
                    f"The column {column} is empty for {empty} of {len(self.frame)} evaluated images."
                )

    def _check_classes(self, name: str, classes: Integers) -> None:
        if (
            not np.issubdtype(classes.dtype, np.integer)
            or classes.min() < 0
            or classes.max() >= len(self.labels)
        ):
            raise UsageError(
                f"`{name}` must hold integers from 0 to {len(self.labels) - 1}, one per label; "
                f"got {classes.dtype} from {classes.min()} to {classes.max()}."
            )

    def _check_probabilities(self) -> None:
        p = self.probabilities
        wrong = ~((p >= 0).all(axis=1) & (np.abs(p.sum(axis=1) - 1) < 1e-3))  # NaN compares false: wrong
        if wrong.any():
            first = int(np.argmax(wrong))
            raise DataSetError(
                f"The probabilities of {int(wrong.sum())} of {len(p)} images are NaN, negative or do not sum "
                f"to 1, first those of {self.frame['path'].iloc[first]}: {p[first].tolist()}. "
                "Train the network again, or choose another checkpoint."
            )

    def _check_rows(self, name: str, rows: NDArray[np.floating[Any]] | None) -> None:
        """Refuse logits or embeddings that are not N rows, or not finite."""
        if rows is None:
            return
        n, columns = len(self.frame), len(self.labels) if name == "logits" else "D"
        if rows.ndim != 2 or len(rows) != n or columns not in ("D", rows.shape[1]):
            raise UsageError(
                f"`{name}` of {n} images must have the shape ({n}, {columns}), got {rows.shape}."
            )
        wrong = ~np.isfinite(rows).all(axis=1)
        if wrong.any():
            raise DataSetError(
                f"The {name} of {int(wrong.sum())} of {n} images are NaN or infinite, first those of "
                f"{self.frame['path'].iloc[int(np.argmax(wrong))]}. Train the network again, or choose "
                "another checkpoint."
            )

    @property
    def reported(self) -> tuple[int, ...]:
        """The classes that metrics are given for: the second of two, else all."""
        return (1,) if len(self.labels) == 2 else tuple(range(len(self.labels)))

    def take(self, rows: "pd.Series[bool]") -> "Predictions":
        """Return the predictions of the images where `rows` is true."""
        mask = rows.to_numpy()
        return Predictions(
            self.labels,
            self.truth[mask],
            self.probabilities[mask],
            self.decided[mask],
            self.frame.loc[mask],
            None if self.logits is None else self.logits[mask],
            None if self.embeddings is None else self.embeddings[mask],
        )


def predictions_frame(predictions: Predictions) -> pd.DataFrame:
    """Return predictions as a table, one row per image: what `predictions.csv` holds.

    Columns: `FRAME_COLUMNS`, those of `SUBGROUP_COLUMNS` that are there, `label` (the true class), for each
    class in order `prob_CLASS` and, where there are logits, `logit_CLASS`, and `decided`.
    """
    carried = [column for column in (*FRAME_COLUMNS, *SUBGROUP_COLUMNS) if column in predictions.frame]
    names = np.array(predictions.labels)
    columns = {column: predictions.frame[column].to_numpy() for column in carried}
    columns["label"] = names[predictions.truth]
    for prefix, numbers in ((_PROBABILITY, predictions.probabilities), (_LOGIT, predictions.logits)):
        if numbers is not None:
            columns |= {prefix + label: numbers[:, k] for k, label in enumerate(predictions.labels)}
    return pd.DataFrame(columns | {"decided": names[predictions.decided]})


def read_predictions(frame: pd.DataFrame) -> Predictions:
    """Return the predictions that a table of `predictions_frame` holds.

    Args:
        frame: its columns, as text or numbers. Read it with `dtype=str, keep_default_na=False`, or patients
            `01` and `1` become one.

    Raises:
        DataSetError: a column is missing, or a class, a probability or a logit is wrong.
    """
    labels = tuple(
        str(column).removeprefix(_PROBABILITY) for column in frame if str(column).startswith(_PROBABILITY)
    )
    expected = ("label", "decided", *(_PROBABILITY + label for label in labels or ("CLASS",)))
    missing = [column for column in expected if column not in frame]
    if missing:
        raise DataSetError(
            f"This is no table of predictions: it lacks the column {', '.join(missing)}. Expected what "
            "`hilum evaluate` stores as predictions.csv."
        )
    stored = [_LOGIT + label for label in labels]
    told = [column for column in (*FRAME_COLUMNS, *SUBGROUP_COLUMNS, "label") if column in frame]
    return Predictions(
        labels,
        _class_numbers(frame["label"], labels),
        _numbers(frame, expected[2:]),
        _class_numbers(frame["decided"], labels),
        frame[told].astype(str),
        _numbers(frame, stored) if set(stored) <= set(frame) else None,
    )


def load_predictions(path: Path) -> Predictions:
    """Return the predictions of a `predictions.csv`, every number exactly as it was stored.

    Raises:
        DataSetError: the file is missing or no table of predictions.
    """
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise DataSetError(f"{path} cannot be read as a table of predictions: {error}.") from error
    return read_predictions(frame)


def _class_numbers(names: "pd.Series[str]", labels: tuple[str, ...]) -> Integers:
    """Return (N,) the place of each class name."""
    unknown = sorted(set(map(str, names)) - set(labels))
    if unknown:
        raise DataSetError(
            f"The column {names.name} of the predictions holds {', '.join(unknown)}; expected one of "
            f"{', '.join(labels)}, the classes that have probabilities."
        )
    places = {label: k for k, label in enumerate(labels)}
    return np.array([places[str(name)] for name in names], dtype=np.int64)


def _numbers(frame: pd.DataFrame, columns: Sequence[str]) -> Floats:
    """Return the columns as (N, K) float64."""
    try:
        return frame[list(columns)].to_numpy().astype(np.float64)
    except ValueError as error:
        raise DataSetError(f"The columns {', '.join(columns)} must hold numbers: {error}.") from error
