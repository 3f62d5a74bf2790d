"""What a network said about the labelled images of a split, checked: the input of every evaluation."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hilum.errors import UsageError
from training.errors import DataSetError
from training.evaluate.metrics import Floats, Integers

FRAME_COLUMNS = ("path", "source", "patient_id", "kind")
"""Columns that the frame of `Predictions` must have."""


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
    """N rows with the columns of `FRAME_COLUMNS`; others are ignored."""

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

    @property
    def reported(self) -> tuple[int, ...]:
        """The classes that metrics are given for: the second of two, else all."""
        return (1,) if len(self.labels) == 2 else tuple(range(len(self.labels)))

    def take(self, rows: "pd.Series[bool]") -> "Predictions":
        """Return the predictions of the images where `rows` is true."""
        mask = rows.to_numpy()
        return Predictions(
            self.labels, self.truth[mask], self.probabilities[mask], self.decided[mask], self.frame.loc[mask]
        )
