"""The torch data set that reads the radiographs of a sample table."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from training.data.cache import RadiographCache
from training.data.sample_table import (
    FILTER_LABELS,
    RANDOM_TURN,
    ROTATED,
    SampleTable,
    build_samples,
)

__all__ = ["FILTER_LABELS", "RANDOM_TURN", "ROTATED", "RadiographSamples", "SampleTable", "build_samples"]


class RadiographSamples(Dataset[tuple[Tensor, int]]):
    """Radiographs from the decoded cache: (1, H, W) uint8 and the class index.

    Nothing is decoded here and no image is kept, so memory stays flat however many there are.
    """

    def __init__(
        self,
        table: SampleTable,
        cache: RadiographCache,
        transform: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self._digests: Sequence[str] = table.frame["digest"].tolist()
        self._turns = table.frame["turns"].to_numpy()
        self._targets = table.targets
        self._cache = cache
        self._transform = transform

    def __len__(self) -> int:
        return len(self._digests)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = self._cache.get(self._digests[index])
        turns = int(self._turns[index])
        if turns == RANDOM_TURN:
            turns = int(torch.randint(1, 4, ()))
        radiograph = torch.from_numpy(np.rot90(image, turns, axes=(1, 2)).copy())
        if self._transform is not None:
            radiograph = self._transform(radiograph)
        return radiograph, int(self._targets[index])
