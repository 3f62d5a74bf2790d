"""Makes the reference sample of a release: what its networks say to radiographs of its own data set.

From the validation split, which neither network learnt from: on training images their scores would look surer
than any that are served. No label is used but that an image is a valid radiograph.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hilum.console import stderr, track
from hilum.contract import FINDINGS, LABELS, VALID_PROBABILITY
from hilum.files import sha256_bytes
from hilum.radiograph import RadiographError, decode_radiograph
from hilum.reference import (
    DISTANCE_BOUNDS,
    EMBEDDING_DISTANCE,
    PROBABILITY_BOUNDS,
    Reference,
    SignalCounts,
    embedding_scale,
)
from training.data.metadata import load_metadata
from training.data.parallel import map_in_processes
from training.errors import DataSetError
from training.promote.network_pair import NetworkPair, PairAnswer

IMAGES = 500
"""Images of a sample at most: more would cost more than they tell. With 500, a gap of 0.09 between two
cumulative shares is the smallest that can be told from chance at all."""

SPLITS = ("val", "test")
"""Where the sample is taken from: the first of these splits that has a valid radiograph."""

_LEAST_ACCEPTED = 2
"""Accepted images without which no deviation of an embedding is known."""


def build_reference(data: Path, *, filter_onnx: Path, classifier_onnx: Path) -> Reference | None:
    """Return the reference sample of two networks on a data set; None, with a sentence, where it has none.

    Always the same images: those valid radiographs of the split whose paths' SHA-256 are the smallest.

    Raises:
        DataSetError: the folder is no data set, or an image cannot be decoded.
        RepositoryError: ONNX Runtime cannot load a network.
    """
    data_set = load_metadata(data)
    split, paths = choose_images(data_set.frame)
    if not paths:
        stderr.print(
            f"{data} has no valid radiograph in its splits {' and '.join(SPLITS)}: this release gets no "
            "reference sample, and its monitor will show no drift."
        )
        return None
    if split != SPLITS[0]:
        stderr.print(
            f"The reference sample is of split {split}: there is no valid radiograph in {SPLITS[0]}."
        )
    pair = NetworkPair(filter_onnx=filter_onnx, classifier_onnx=classifier_onnx)
    files = [data_set.folder / path for path in paths]
    radiographs = list(map_in_processes(_decode, files, "Decoding the reference sample"))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        answers = list(
            track(pool.map(pair.ask, radiographs), "Screening the reference sample", total=len(radiographs))
        )
    return _summarise(split, answers)


def choose_images(frame: pd.DataFrame) -> tuple[str, list[str]]:
    """Return the split that a sample is taken from, and its images' paths; no path where no split has any."""
    valid = frame[frame["filter_label"] == "valid"]
    for split in SPLITS:
        paths = valid.loc[valid["split"] == split, "path"]
        if len(paths):
            return split, sorted(paths, key=lambda path: sha256_bytes(path.encode()))[:IMAGES]
    return SPLITS[-1], []


def leave_one_out_distances(embeddings: ArrayLike) -> NDArray[np.float64]:
    """Return the (N,) distances of (N, D) embeddings, each from the mean and deviation of the N - 1 others.

    So each lies from the others as a new image lies from the sample; measured against themselves, all would
    lie closer. The formula is that of `hilum.reference.EmbeddingDistance`. N is 2 or more.
    """
    e = np.asarray(embeddings, np.float64)
    n = len(e)
    gap = e - e.mean(axis=0)
    # Leaving x out moves the mean by (mean - x) / (n - 1), and takes n / (n - 1) (x - mean)^2 from the sum of
    # squares.
    squares = (gap**2).sum(axis=0) - gap**2 * n / (n - 1)
    scale = embedding_scale(np.sqrt(np.maximum(squares, 0) / (n - 1)))
    distances: NDArray[np.float64] = np.sqrt(((gap * n / (n - 1) / scale) ** 2).mean(axis=1))
    return distances


def _summarise(split: str, answers: list[PairAnswer]) -> Reference | None:
    accepted = [answer for answer in answers if answer.accepted]
    if len(accepted) < _LEAST_ACCEPTED:
        stderr.print(
            f"The filter accepts {len(accepted)} of the {len(answers)} valid radiographs in split {split}: "
            "this release gets no reference sample, and its monitor will show no drift."
        )
        return None
    probabilities = np.stack([answer.probabilities for answer in accepted])
    embeddings = np.stack([answer.embedding for answer in accepted]).astype(np.float64)
    valid = [answer.valid_probability for answer in answers]
    return Reference(
        split=split,
        signals={
            VALID_PROBABILITY.name: SignalCounts.of(valid, PROBABILITY_BOUNDS),
            **{
                finding: SignalCounts.of(probabilities[:, LABELS.index(finding)], PROBABILITY_BOUNDS)
                for finding in FINDINGS
            },
            EMBEDDING_DISTANCE: SignalCounts.of(leave_one_out_distances(embeddings), DISTANCE_BOUNDS),
        },
        mean=_rounded(embeddings.mean(axis=0)),
        deviation=_rounded(embeddings.std(axis=0)),
    )


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    """Round to six significant digits: the same networks on the same images make the same text."""
    return tuple(float(f"{value:.6g}") for value in values)


def _decode(path: Path) -> NDArray[np.uint8]:
    """Read and decode one image. Runs in worker processes."""
    try:
        return decode_radiograph(path.read_bytes())
    except (OSError, RadiographError) as error:
        raise DataSetError(
            f"{path} cannot be in a reference sample: {error} Run `hilum data check` on the set."
        ) from error
