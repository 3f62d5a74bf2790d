"""Embeddings in two or three dimensions, so that a person can look at them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard.sources.embeddings_api import embeddings

Method = Literal["pca2", "pca3", "tsne"]

FEWEST = 10
"""Images from which a projection says anything."""

TSNE_STEPS = 500
"""Steps of t-SNE, half of them with the groups drawn together: twice as many move hardly a point."""

TSNE_DIMENSIONS = 50
"""Principal components that t-SNE starts from (van der Maaten and Hinton 2008, section 4.2, take 30)."""

PERPLEXITY = 30.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Projection:
    """Images as points."""

    rows: NDArray[np.int64]
    """(M,) places of the images among the predictions."""
    points: NDArray[np.float32]
    """(M, 2) or (M, 3)."""
    explained: tuple[float, ...] = ()
    """Share of the variance along each axis, in [0, 1]; empty for t-SNE, whose axes mean nothing."""


@st.cache_resource(ttl=3600, max_entries=12, show_spinner=False)  # never changed, so not copied
def project(run_id: str, n_images: int, method: Method) -> Projection | None:
    """Return a run's test images as points.

    Args:
        run_id: the run that trained the classifier.
        n_images: how many images its predictions hold.
        method: principal components in two or three dimensions, or t-SNE.

    Returns:
        None where there are no embeddings, or fewer than `FEWEST`.

    Raises:
        SourceError: MLflow does not answer in time, or the file is not that of these predictions.
    """
    found = embeddings(run_id, n_images)
    if found is None or min(found.values.shape[0], found.values.shape[1]) < FEWEST:
        return None
    if method == "tsne":
        return neighbours(found.rows, found.values)
    return principal_components(found.rows, found.values, 2 if method == "pca2" else 3)


def principal_components(rows: NDArray[np.int64], values: NDArray[np.float32], dimensions: int) -> Projection:
    """Return (M, D) embeddings along their principal components (Pearson 1901)."""
    from sklearn.decomposition import PCA

    fitted = PCA(dimensions, svd_solver="randomized", random_state=0)
    points = fitted.fit_transform(values).astype(np.float32)
    return Projection(rows=rows, points=points, explained=tuple(map(float, fitted.explained_variance_ratio_)))


def neighbours(rows: NDArray[np.int64], values: NDArray[np.float32]) -> Projection:
    """Return (M, D) embeddings with neighbours kept near: t-SNE (van der Maaten and Hinton 2008)."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    fewer = PCA(min(TSNE_DIMENSIONS, *values.shape), svd_solver="randomized", random_state=0)
    started = fewer.fit_transform(values)
    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    with threadpool_limits(1):  # more threads wait for each other, longest where the server needs the cores
        points = TSNE(
            2, init="pca", perplexity=perplexity, max_iter=TSNE_STEPS, random_state=0
        ).fit_transform(started)
    return Projection(rows=rows, points=points.astype(np.float32))
