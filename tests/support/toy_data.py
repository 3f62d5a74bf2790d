"""A data set of drawn pictures for the toy networks: bright ones pass the filter, dark ones do not."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from hilum.contract import LABELS


def write_toy_data(folder: Path) -> Path:
    """Write a data set: in each split, a bright picture per label and four dark ones; return `folder`."""
    rows = []
    for split in ("train", "val", "test"):
        for index, label in enumerate(LABELS):
            rows.append(_row(f"{split}-{label}.png", label, "valid", "frontal_cxr", split))
            _write_picture(folder / rows[-1]["path"], level=120 + 20 * index, bright_corner=index)
        for index, kind in enumerate(("document", "document", "knee", "natural")):
            rows.append(_row(f"{split}-other{index}.png", "", "non_valid", kind, split))
            _write_picture(folder / rows[-1]["path"], level=index, bright_corner=None)
    pd.DataFrame(rows).to_csv(folder / "metadata.csv", index=False)
    return folder


def _row(path: str, finding: str, filter_label: str, kind: str, split: str) -> dict[str, str]:
    return {
        "path": path,
        "source": "drawn",
        "patient_id": path,
        "view": "PA",
        "finding": finding,
        "filter_label": filter_label,
        "kind": kind,
        "split": split,
    }


def _write_picture(path: Path, *, level: int, bright_corner: int | None) -> None:
    """Draw a flat picture; the toy classifier looks at the cells (0, 0), (1, 1) and (2, 2) of a 4x4 grid."""
    pixels = np.full((256, 256), level, dtype=np.uint8)
    if bright_corner is not None:
        start = 64 * bright_corner
        pixels[start : start + 64, start : start + 64] = 250
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
