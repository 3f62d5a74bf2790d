"""What the gate sends through the front door: every image of the test split, as it lies on disk.

The filter is also shown one turned copy of each valid radiograph, the one that every evaluation shows it.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from hilum.contract import FILTER, LABELS
from training import tracking
from training.data.cache import RadiographCache
from training.data.metadata import DataSet, load_metadata
from training.data.sample_table import SampleTable, build_samples
from training.errors import DataSetError
from training.evaluate.metrics import Booleans

SPLIT = "test"
"""The only split that no network has learnt from."""


@dataclass(frozen=True)
class GateCases:
    """N images with what is known of them."""

    data: DataSet
    """The data set."""
    table: SampleTable
    """The filter's samples: N rows, stored images first, then turned copies."""
    cache: RadiographCache
    """Their canonical radiographs."""

    def __len__(self) -> int:
        return len(self.table.frame)

    @property
    def is_classified(self) -> Booleans:
        """(N,) whether the classifier is judged on the image: a stored, valid radiograph with a finding."""
        frame = self.table.frame
        known = (frame["label"] == "valid") & frame["finding"].isin(LABELS)
        return known.to_numpy(dtype=np.bool_)

    def file(self, index: int) -> bytes:
        """Return what is sent: the stored file, or a PNG of the turned canonical radiograph."""
        row = self.table.frame.iloc[index]
        if row["turns"] == 0:
            return (self.data.folder / str(row["path"])).read_bytes()
        turned = np.rot90(self.cache.get(str(row["digest"]))[0], int(row["turns"]))
        stream = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(turned)).save(stream, "PNG")
        return stream.getvalue()

    def name(self, index: int) -> str:
        """Return the path of an image, for a sentence."""
        return str(self.table.frame["path"].iloc[index])


def load_cases(folder: Path, home: Path, run_ids: set[str]) -> GateCases:
    """Read the test split of a data set and decode what is not decoded yet.

    Args:
        folder: the data set.
        home: holds the cache.
        run_ids: training runs of the networks that are to be judged.

    Raises:
        DataSetError: the folder is no data set, an image cannot be decoded, or a network was trained on
            another division of this data set: what is test here, it may have learnt from.
    """
    data = load_metadata(folder)
    for run_id in sorted(run_ids):
        tags = tracking.run_tags(run_id)
        if (
            tags.get(tracking.UNDIVIDED_DIGEST_TAG) == data.undivided_digest()
            and tags.get(tracking.DATA_DIGEST_TAG) != data.digest()
        ):
            raise DataSetError(
                f"Run {run_id} was trained on another division of {folder}: what is {SPLIT} here, its "
                "network may have learnt from. Judge on other data, or on the division it was trained on."
            )
    cache = RadiographCache.open(home / "cache")
    return GateCases(data, build_samples(data, cache, FILTER, SPLIT), cache)
