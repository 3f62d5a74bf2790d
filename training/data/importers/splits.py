"""Splits by patient: the publisher's where it keeps patients apart, else a stratified draw."""

import warnings
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from training.data.importers.records import Picture
from training.errors import DataSetError

FOLDS = 10
"""A tenth of the patients is one fold: 80 / 10 / 10, or a validation tenth of a publisher's training part."""

FEW_IMAGES = 50
"""Images of a publisher's validation part below which a threshold chosen on it means little."""

_FEW = "; its validation part holds only {} images, too few to choose a threshold on: --resplit draws anew"


def settle_splits(pictures: Sequence[Picture], seed: int, *, resplit: bool) -> tuple[list[str], str]:
    """Return a split for each picture, and a sentence on where it comes from.

    The publisher's split is kept if it names both train and test and no patient stands in two parts;
    validation, where it has none, is drawn from its training patients. Else 80 / 10 / 10 is drawn.
    Draws are stratified by kind and finding (scikit-learn's StratifiedGroupKFold, shuffled by `seed`).

    Args:
        pictures: what to split; a publisher's split counts only where each has one.
        seed: decides every draw.
        resplit: draw even where the publisher has a split.

    Raises:
        DataSetError: there are too few patients to draw from.
    """
    drawn = f"drawn by patient, 80/10/10, stratified by kind and finding (seed {seed})"
    published = {picture.split for picture in pictures}
    if resplit or "" in published or not {"train", "test"} <= published:
        return _draw(pictures, seed, ("test", "val")), drawn
    torn = _torn_patients(pictures)
    if torn:
        return _draw(pictures, seed, ("test", "val")), (
            f"{drawn}; the publisher's was not kept: {torn} of its patients stand in more than one part"
        )
    splits = [picture.split for picture in pictures]
    if "val" in published:
        few = splits.count("val") < FEW_IMAGES
        return splits, "the publisher's" + (_FEW.format(splits.count("val")) if few else "")
    train = [index for index, split in enumerate(splits) if split == "train"]
    for index, split in zip(train, _draw([pictures[i] for i in train], seed, ("val",)), strict=True):
        splits[index] = split
    return splits, f"the publisher's, with a tenth of its training patients for validation (seed {seed})"


def _torn_patients(pictures: Sequence[Picture]) -> int:
    """Return how many patients stand in more than one of the publisher's parts."""
    parts: dict[str, set[str]] = defaultdict(set)
    for picture in pictures:
        parts[picture.patient].add(picture.split)
    return sum(len(splits) > 1 for splits in parts.values())


def _draw(pictures: Sequence[Picture], seed: int, held_out: Sequence[str]) -> list[str]:
    """Return `train` for each picture, and one of ten folds by patient for each name in `held_out`."""
    groups = np.array([picture.patient for picture in pictures])
    patients = len(np.unique(groups))
    if patients < FOLDS:
        raise DataSetError(
            f"{patients} patient(s) are too few for a split by patient: expected {FOLDS} or more. "
            "Was the folder unpacked whole?"
        )
    splits = np.full(len(pictures), "train", dtype=object)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A rare class may be missing from a fold; the counts that are printed show it.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        parts = folds.split(groups, _strata(pictures), groups)
        for name, (_, part) in zip(held_out, parts, strict=False):
            splits[part] = name
    return [str(split) for split in splits]


def _strata(pictures: Sequence[Picture]) -> NDArray[np.str_]:
    """Return what to balance over the folds: kind and finding, or nothing where every class is tiny."""
    strata = np.array([f"{picture.kind} {picture.finding}" for picture in pictures])
    _, counts = np.unique(strata, return_counts=True)
    return strata if counts.max() >= FOLDS else np.full_like(strata, "")
