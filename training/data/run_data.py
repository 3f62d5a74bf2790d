"""A data set as a trained network sees it: its part of the rows, its classes, and whether it is its own."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hilum.files import safe_name
from training import tracking
from training.data.metadata import Classes, DataSet, load_metadata
from training.data.subset import SubsetConfig, draw_subset
from training.errors import DataSetError


@dataclass(frozen=True)
class RunData:
    """A data set beside a training run."""

    data: DataSet
    """Of the run's own data set the rows that its recipe drew; any other data set whole."""
    is_external: bool
    """Whether it is another data set than the run was trained on."""
    classes: Classes | None
    """The classes that the run's network tells apart; None for the contract's."""

    def place(self, split: str) -> str:
        """Return where the run keeps results on a split of these data: external ones never over its own."""
        if not self.is_external:
            return split
        name = safe_name(self.data.folder.resolve().name)
        return f"external/{name}-{self.data.digest()[:8]}/{split}"


def load_run_data(folder: Path, tags: Mapping[str, str]) -> RunData:
    """Read the data set in `folder` for a training run with these tags.

    Raises:
        DataSetError: the folder holds no valid data set, or the run's own in another division.
    """
    data = load_metadata(folder)
    classes = json.loads(tags[tracking.CLASSES_TAG]) if tracking.CLASSES_TAG in tags else None
    drawn = data
    if tracking.SUBSET_TAG in tags:
        # Without the columns that the recipe selects by, it is not what the run was trained on.
        with suppress(DataSetError):
            drawn = draw_subset(data, SubsetConfig.model_validate_json(tags[tracking.SUBSET_TAG]))
    if drawn.digest() == tags[tracking.DATA_DIGEST_TAG]:
        return RunData(drawn, is_external=False, classes=classes)
    if drawn.undivided_digest() == tags.get(tracking.UNDIVIDED_DIGEST_TAG):
        raise DataSetError(
            f"The run was trained on another division of {folder}, as a fold or repeat of a study is: what "
            "is test here, it may have learnt from. Its own test images are evaluated in the run itself; "
            "give other data, or a run that was trained on this division."
        )
    return RunData(data, is_external=True, classes=classes)
