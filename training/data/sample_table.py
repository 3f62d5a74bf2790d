"""Which radiographs a network is shown, turned how, and with which label."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hilum.contract import FILTER
from training.data.cache import RadiographCache
from training.data.metadata import EACH, Classes, DataSet

FILTER_LABELS = ("non_valid", "valid")
"""The filter's classes; `valid` is an upright frontal chest radiograph."""

ROTATED = "rotated_cxr"
"""The `kind` of a valid radiograph turned by 90, 180 or 270 degrees: a non-valid image."""

RANDOM_TURN = -1
"""A sample that is turned by one, two or three quarters, drawn anew each time."""


@dataclass(frozen=True)
class SampleTable:
    """The samples of one split: one row per image and turn."""

    frame: pd.DataFrame
    """Columns path, source, patient_id, kind, label, digest, turns."""
    labels: tuple[str, ...]
    """Class names in the order of the targets."""

    @property
    def targets(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """(N,) int64 class indices."""
        return np.array([self.labels.index(label) for label in self.frame["label"]], dtype=np.int64)

    def class_counts(self) -> list[int]:
        """Return the number of samples of each class."""
        return [int(count) for count in np.bincount(self.targets, minlength=len(self.labels))]

    def repeated(self, factors: Mapping[str, int]) -> "SampleTable":
        """Return a table in which each sample of a class stands `factors[class]` times (oversampling)."""
        times = self.frame["label"].map(lambda label: factors.get(label, 1)).to_numpy()
        return SampleTable(self.frame.loc[self.frame.index.repeat(times)].reset_index(drop=True), self.labels)


def build_samples(
    data: DataSet,
    cache: RadiographCache,
    model: str,
    split: str,
    *,
    classes: Classes | None = None,
    random_turns: bool = False,
) -> SampleTable:
    """Decode what is not decoded yet and return the samples of one model and split.

    The classifier's are the stored images with a finding, by the contract's labels or by `classes`. The
    filter's samples are the stored images and one turned copy of each valid one (ICA-PUC, section
    3.1). In training its turn is drawn anew each time (`random_turns`); elsewhere it follows from the
    image's content, so that every evaluation sees the same picture.

    Raises:
        DataSetError: a class has no image in the split, or an image cannot be decoded.
    """
    rows = data.filter_rows(split) if model == FILTER else data.classifier_rows(split, classes)
    frame = rows.assign(turns=0)
    frame = frame.reset_index(drop=True)
    frame["digest"] = cache.ensure([data.folder / path for path in frame["path"]])
    if model == FILTER:
        turned = frame[frame["label"] == "valid"].copy()
        turned["label"] = "non_valid"
        turned["kind"] = ROTATED
        turned["turns"] = RANDOM_TURN if random_turns else [1 + int(d[:8], 16) % 3 for d in turned["digest"]]
        frame = pd.concat([frame, turned], ignore_index=True)
    return SampleTable(frame, FILTER_LABELS if model == FILTER else tuple(classes or EACH))
