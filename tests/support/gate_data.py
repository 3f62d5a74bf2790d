"""A data set that the toy networks can be judged on: a bright cell names the finding, dark is no film."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pandas as pd
from onnx import numpy_helper
from PIL import Image

from hilum.contract import LABELS
from tests.support.toy_models import toy_classifier

BLOCK = 64
"""Side of a cell of the toy classifier's grid, in pixels; it looks at the first three of the diagonal."""


def write_gate_data(folder: Path, *, per_label: int, dark: int) -> Path:
    """Write a test split of easy pictures from two sources, the least of others, and return `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for split, count, dark_count in (("train", 1, 1), ("val", 1, 1), ("test", per_label, dark)):
        for index in range(count):
            for place, label in enumerate(LABELS):
                name = f"{split}-{label}-{index}.png"
                _save(folder / name, _picture(90 + index, place))
                rows.append(_row(name, label, split, source=("east", "west")[index % 2]))
        for index in range(dark_count):
            name = f"{split}-dark-{index}.png"
            _save(folder / name, np.full((256, 256), index % 20, dtype=np.uint8))
            rows.append(_row(name, "", split, source="east"))
    pd.DataFrame(rows).to_csv(folder / "metadata.csv", index=False)
    return folder


def confused_classifier() -> onnx.ModelProto:
    """Return a toy classifier that takes lung opacity for COVID-19, and the reverse."""
    network = toy_classifier()
    for initializer in network.graph.initializer:
        if initializer.name == "corners":
            swapped = numpy_helper.from_array(np.array([0, 10, 5], dtype=np.int64), "corners")
            initializer.CopyFrom(swapped)
    return network


def _picture(level: int, place: int) -> npt.NDArray[np.uint8]:
    pixels = np.full((256, 256), level, dtype=np.uint8)
    start = BLOCK * place
    pixels[start : start + BLOCK, start : start + BLOCK] = 255
    return pixels


def _save(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    Image.fromarray(pixels).save(path)


def _row(path: str, finding: str, split: str, *, source: str) -> dict[str, str]:
    return {
        "path": path,
        "source": source,
        "patient_id": path,
        "view": "PA",
        "finding": finding,
        "filter_label": "valid" if finding else "non_valid",
        "kind": "frontal_cxr" if finding else "document",
        "split": split,
    }
