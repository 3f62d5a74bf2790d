"""Radiographs and a cache that the tests of this folder share and none changes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.support.evidence import LABELS, radiograph_with_square
from training.data.cache import RadiographCache
from training.data.samples import SampleTable

SQUARES = ((3, 3), (4, 5), (0, 0))
"""Cell of the white square in each image of class `bright`; the last lies in the corner."""


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> RadiographCache:
    return RadiographCache.open(tmp_path_factory.mktemp("explain-cache"))


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory, cache: RadiographCache) -> SampleTable:
    """Two dark images and three bright ones, of five patients; the first dark one shows a white square."""
    folder = tmp_path_factory.mktemp("explain-images")
    pictures = {
        "dark/0.png": radiograph_with_square(2, 2),
        "dark/1.png": np.full((256, 256), 60, np.uint8),
        **{f"bright/{n}.png": radiograph_with_square(*cell) for n, cell in enumerate(SQUARES)},
    }
    for path, pixels in pictures.items():
        (folder / path).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / path)
    frame = pd.DataFrame({"path": list(pictures)})
    frame["label"] = [Path(path).parent.name for path in pictures]
    frame["source"] = "drawn"
    frame["patient_id"] = frame["path"]
    frame["kind"] = "frontal_cxr"
    frame["turns"] = 0
    frame["digest"] = cache.ensure([folder / path for path in pictures])
    return SampleTable(frame, LABELS)
