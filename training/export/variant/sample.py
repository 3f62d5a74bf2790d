"""Radiographs drawn from a split by a seed: to calibrate an int8 network, or to compare two files."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.cache import RadiographCache
from training.data.metadata import DataSet
from training.data.samples import build_samples


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageSample:
    """Radiographs, and which files they are."""

    split: str
    """Split of the data set that they come from."""
    digests: tuple[str, ...]
    """Content digest of each image's file; `+1` to `+3` after it where it is turned by so many quarters."""
    radiographs: NDArray[np.uint8]
    """(N, 1, 256, 256) uint8."""


def draw_sample(
    data: DataSet, cache: RadiographCache, model: str, split: str, *, count: int, seed: int
) -> ImageSample:
    """Return up to `count` radiographs of one model's split, drawn without replacement.

    The same data set and seed give the same images in the same order, whatever the order of its rows.

    Raises:
        DataSetError: the split has no image for this model, or one cannot be decoded.
    """
    frame = build_samples(data, cache, model, split).frame.sort_values(["digest", "turns"])
    rows = np.random.default_rng(seed).permutation(len(frame))[:count]
    digests, turns = frame["digest"].to_numpy()[rows], frame["turns"].to_numpy()[rows]
    return ImageSample(
        split=split,
        digests=tuple(f"{d}+{t}" if t else str(d) for d, t in zip(digests, turns, strict=True)),
        radiographs=np.stack(
            [np.rot90(cache.get(d), t, axes=(1, 2)) for d, t in zip(digests, turns, strict=True)]
        ),
    )
