"""Embeddings of the test images, from the classifier's run; a sample of them where there are very many."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard.errors import SourceLyingError
from dashboard.sources.evaluation_api import SPLIT
from dashboard.sources.registry_api import SOURCE, connected, source_errors
from hilum.settings import settings

MAX_POINTS = 3_000
"""Images that are shown at most: as many as a browser redraws at once, and t-SNE lays out in a minute."""

FILE = f"evaluation/{SPLIT}/embeddings.npz"

_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Embeddings:
    """What the network's last layer said of a sample of the test images."""

    rows: NDArray[np.int64]
    """(M,) places of the images among the predictions, growing."""
    values: NDArray[np.float32]
    """(M, D)."""


@st.cache_resource(ttl=3600, max_entries=3, show_spinner=False)  # large, never changed, so not copied
def embeddings(run_id: str, n_images: int) -> Embeddings | None:
    """Return the embeddings of a run's test images, of `MAX_POINTS` drawn at random where there are more.

    Args:
        run_id: the run that trained the classifier.
        n_images: how many images its predictions hold.

    Returns:
        None where the evaluation stored no embeddings.

    Raises:
        SourceError: MLflow does not answer in time, or the file is not that of these predictions.
    """
    from training import artifacts

    with source_errors():
        connected()
        if not artifacts.has_artifact(run_id, FILE):
            return None
        with artifacts.downloaded(run_id, FILE) as path:
            rows = np.arange(n_images)
            if n_images > MAX_POINTS:
                rows = np.sort(np.random.default_rng(0).choice(n_images, MAX_POINTS, replace=False))
            try:
                return Embeddings(rows=rows, values=read_rows(path, rows, n_images))
            except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
                raise SourceLyingError(SOURCE, settings().mlflow_address, f"{FILE}: {error}") from error


def read_rows(path: Path, rows: NDArray[np.int64], n_images: int) -> NDArray[np.float32]:
    """Return (M, D) rows of the array in an `embeddings.npz`, a part at a time: the whole may not fit.

    Args:
        path: of the file.
        rows: (M,) growing places.
        n_images: how many rows the array must have.

    Raises:
        ValueError: it has other rows, or holds what is no number.
        zipfile.BadZipFile, KeyError, OSError: it is no such file.
    """
    parts = []
    with zipfile.ZipFile(path) as archive, archive.open("embeddings.npy") as stream:
        version = np.lib.format.read_magic(stream)  # type: ignore[no-untyped-call]
        if version != (1, 0):
            raise ValueError(f"an array of format {version}, expected (1, 0)")
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)  # type: ignore[no-untyped-call]
        if len(shape) != 2 or shape[0] != n_images or is_fortran or dtype.kind != "f":
            raise ValueError(f"{dtype} of shape {shape}, expected numbers of shape ({n_images}, D)")
        for start in range(0, n_images, _ROWS_AT_ONCE):
            count = min(_ROWS_AT_ONCE, n_images - start)
            content = stream.read(count * shape[1] * dtype.itemsize)
            part = np.frombuffer(content, dtype).reshape(count, shape[1])
            wanted = rows[(rows >= start) & (rows < start + count)] - start
            parts.append(part[wanted].astype(np.float32))
    values: NDArray[np.float32] = np.concatenate(parts)
    if not np.isfinite(values).all():
        raise ValueError("some of its values are NaN or infinite")
    return values
