"""What the loop is fed: each epoch's order, divided over processes and over the parts of a step.

Order and augmentation follow from the seed, the epoch and the sample alone. So a run that was cut short
goes on as if it had not been, and any number of processes sees the same images in the same steps.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler
from typing_extensions import override

from training.data.cache import RadiographCache
from training.data.samples import RadiographSamples, SampleTable
from training.train.augmentation import build_augmentation
from training.train.distributed import rank, world_size
from training.train.recipe import NetworkRecipe

WORKERS = 8
"""Processes that load and augment for one GPU. A CPU has none: the network needs every core, and
augmentation is 1 % of its work."""


def derived_seed(*parts: int) -> int:
    """Return a seed below 2**63 that follows from several numbers, each of which changes it."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0]) >> 1


class EpochOrder(DistributedSampler[Any]):
    """Pairs (epoch, index) in an order drawn anew for each epoch; every process gets its own.

    Of each run of B samples in that order, a process gets every `world_size`-th: the B of one step
    are the same whatever the number of processes.
    """

    @override
    def __iter__(self) -> Iterator[tuple[int, int]]:
        for index in super().__iter__():
            yield self.epoch, int(index)


class SeededSamples(Dataset[tuple[Tensor, int]]):
    """Samples by (epoch, index), whose random changes follow from these and the seed."""

    def __init__(self, samples: RadiographSamples, seed: int) -> None:
        self._samples = samples
        self._seed = seed

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int]:
        state = torch.default_generator.get_state()
        # torch.manual_seed would also note a seed for GPUs, at a hundred times the cost
        torch.default_generator.manual_seed(derived_seed(self._seed, *key))
        try:
            return self._samples[key[1]]
        finally:
            torch.default_generator.set_state(state)


class StepParts:
    """Batches in equal parts (gradient accumulation), each with the targets of its whole batch."""

    def __init__(self, batches: DataLoader[Any], parts: int) -> None:
        self._batches = batches
        self._parts = parts
        self.sampler = batches.sampler
        """Lightning tells it the epoch."""

    def __len__(self) -> int:
        return len(self._batches) * self._parts

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield radiographs (n, 1, H, W) uint8, their targets (n,), and the step's targets (N,)."""
        for radiographs, targets in self._batches:
            pairs = zip(radiographs.chunk(self._parts), targets.chunk(self._parts), strict=True)
            for part_radiographs, part_targets in pairs:
                yield part_radiographs, part_targets, targets


def training_batches(
    recipe: NetworkRecipe, table: SampleTable, cache: RadiographCache, *, seed: int, on_gpu: bool
) -> StepParts:
    """Return this process's share of the training samples: oversampled, shuffled, augmented, in steps."""
    size = recipe.batch_size // world_size()
    transform = build_augmentation(recipe.augmentation, recipe.backbone.radiograph_px)
    samples = SeededSamples(RadiographSamples(table.repeated(recipe.repeats), cache, transform), seed)
    order = EpochOrder(samples, world_size(), rank(), seed=derived_seed(seed), drop_last=True)
    options = _options(on_gpu=on_gpu)
    return StepParts(DataLoader(samples, size, sampler=order, drop_last=True, **options), recipe.accumulate)


def validation_batches(
    recipe: NetworkRecipe, table: SampleTable, cache: RadiographCache, *, on_gpu: bool
) -> DataLoader[Any]:
    """Return this process's share of the validation samples; each sample is in one share."""
    share = range(rank(), len(table.frame), world_size())
    size = 2 * recipe.batch_size // world_size()
    return DataLoader(RadiographSamples(table, cache), size, sampler=share, **_options(on_gpu=on_gpu))


def _options(*, on_gpu: bool) -> dict[str, Any]:
    workers = WORKERS if on_gpu else 0
    return {"num_workers": workers, "persistent_workers": on_gpu, "pin_memory": on_gpu}
