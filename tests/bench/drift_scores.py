"""What a release's networks say to the validation and the test split of a data set, kept in one file."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from hilum.console import track
from hilum.contract import FINDINGS, LABELS
from hilum.radiograph import decode_radiograph
from training.data.metadata import load_metadata
from training.data.parallel import map_in_processes
from training.promote.network_pair import NetworkPair

SPLITS = ("val", "test")
"""The networks learnt from neither."""

Radiograph = NDArray[np.uint8]

CHANGES: dict[str, Callable[[Radiograph], Radiograph]] = {
    "half the contrast": lambda pixels: (64 + pixels // 2).astype(np.uint8),
    "inverted": np.bitwise_not,
    "blurred by 2 px": lambda pixels: gaussian_filter(pixels, (0, 2, 2)),
    "left and right exchanged": lambda pixels: np.ascontiguousarray(pixels[:, :, ::-1]),
}
"""What a new device, or a wrong setting, could do to valid radiographs; of 256 pixels a side."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftScores:
    """The answers to P images, and what the simulation draws them by."""

    is_valid: NDArray[np.bool_]
    """(P,) whether an image is an upright frontal radiograph, by its label."""
    valid_probability: NDArray[np.float32]
    """(P,) the filter's."""
    accepted: NDArray[np.bool_]
    """(P,) the filter's."""
    findings: NDArray[np.float32]
    """(P, 2) the classifier's probability of each of `FINDINGS`; NaN where rejected."""
    embeddings: NDArray[np.float32]
    """(P, D) the classifier's; NaN where rejected."""
    patient: NDArray[np.str_]
    """(P,) patient."""
    source: NDArray[np.str_]
    """(P,) source."""
    finding: NDArray[np.str_]
    """(P,) finding by its label; empty where none is known."""
    change: NDArray[np.str_]
    """(P,) which of `CHANGES` was made; empty where none was."""

    @classmethod
    def load(cls, path: Path) -> "DriftScores":
        """Read what `save` wrote."""
        with np.load(path) as stored:
            return cls(**stored)

    def save(self, path: Path) -> None:
        """Write everything into one file."""
        np.savez_compressed(path, **{name: getattr(self, name) for name in self.__dataclass_fields__})


def score_images(data: Path, *, filter_onnx: Path, classifier_onnx: Path) -> DriftScores:
    """Ask both networks for every image of the splits that they did not learn from, and for changed ones."""
    data_set = load_metadata(data)
    frame = data_set.frame[data_set.frame["split"].isin(SPLITS)]
    radiographs = list(map_in_processes(partial(_decode, data_set.folder), list(frame["path"]), "Decoding"))
    changed = [
        (row, name, change(radiographs[row]))
        for name, change in CHANGES.items()
        for row in np.flatnonzero(frame["filter_label"] == "valid")
    ]
    names = ["" for _ in radiographs] + [name for _, name, _ in changed]
    frame = pd.concat([frame, frame.iloc[[row for row, _, _ in changed]]])
    radiographs += [radiograph for _, _, radiograph in changed]
    pair = NetworkPair(filter_onnx=filter_onnx, classifier_onnx=classifier_onnx)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        answers = list(track(pool.map(pair.ask, radiographs), "Screening", total=len(radiographs)))
    columns = [LABELS.index(finding) for finding in FINDINGS]
    return DriftScores(
        is_valid=np.asarray(frame["filter_label"] == "valid"),
        valid_probability=np.array([answer.valid_probability for answer in answers], np.float32),
        accepted=np.array([answer.accepted for answer in answers]),
        findings=np.stack([answer.probabilities[columns] for answer in answers]),
        embeddings=np.stack([answer.embedding for answer in answers]),
        patient=np.asarray(frame["patient_id"], np.str_),
        source=np.asarray(frame["source"], np.str_),
        finding=np.asarray(frame["finding"], np.str_),
        change=np.asarray(names, np.str_),
    )


def _decode(folder: Path, path: str) -> NDArray[np.uint8]:
    return decode_radiograph((folder / path).read_bytes())
