"""Test images, where their data set lies on this machine. Pictures are read when asked for and never kept."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard.errors import SourceLyingError
from hilum.radiograph import RadiographError, decode_radiograph
from hilum.settings import settings

METADATA = "metadata.csv"

SOURCE = "The data set"


def picture(path: str, source: str) -> NDArray[np.uint8] | None:
    """Return a test image as the networks see it: (256, 256).

    Args:
        path: as the evaluation names it, relative to its data set.
        source: where the image comes from; one of the same name from elsewhere is another image.

    Returns:
        None where no data set on this machine lists it.

    Raises:
        SourceError: it is listed, but cannot be read.
    """
    root = settings().data
    if root is None:
        return None
    for metadata in (root / METADATA, *sorted(root.glob(f"*/{METADATA}"))):
        if not metadata.is_file():
            continue
        file = metadata.parent / path
        is_inside = file.resolve().is_relative_to(metadata.parent.resolve())
        if not is_inside or _sources(str(metadata), metadata.stat().st_mtime_ns).get(path) != source:
            continue
        try:
            radiograph: NDArray[np.uint8] = decode_radiograph(file.read_bytes())[0]
        except (OSError, RadiographError) as error:
            raise SourceLyingError(SOURCE, str(metadata.parent), type(error).__name__) from error
        return radiograph
    return None


@st.cache_data(ttl=3600, max_entries=8, show_spinner=False)
def _sources(metadata: str, modified_ns: int) -> Mapping[str, str]:  # noqa: ARG001 - a changed file is read anew
    """Return the source of each image that a `metadata.csv` lists; nothing where it is no such table."""
    import pandas as pd

    try:
        frame = pd.read_csv(Path(metadata), dtype=str, keep_default_na=False, usecols=["path", "source"])
    except (OSError, ValueError):
        return {}
    return dict(zip(frame["path"], frame["source"], strict=True))
