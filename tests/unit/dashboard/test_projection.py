"""Embeddings as a map: how they are read, laid out, and what a click on one of them names."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from dashboard.data.projection import neighbours, principal_components
from dashboard.data.projector import clicked
from dashboard.sources import embeddings_api
from dashboard.sources.embeddings_api import read_rows


def test_components_are_those_of_the_singular_values() -> None:
    values = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32) * np.linspace(3, 1, 12)
    centred = values - values.mean(axis=0)
    left, scale, _ = np.linalg.svd(centred, full_matrices=False)
    found = principal_components(np.arange(40), values.astype(np.float32), 2)
    np.testing.assert_allclose(np.abs(found.points), np.abs(left[:, :2] * scale[:2]), rtol=1e-2, atol=1e-2)
    np.testing.assert_allclose(found.explained, scale[:2] ** 2 / (scale**2).sum(), rtol=1e-3)


def test_tsne_keeps_those_together_that_are_alike() -> None:
    values = np.random.default_rng(0).normal(size=(60, 12)).astype(np.float32)
    values[30:, 0] += 50
    found = neighbours(np.arange(60), values)
    assert found.points.shape == (60, 2)
    apart = np.linalg.norm(found.points[:, None] - found.points[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert ((apart.argmin(axis=1) < 30) == (np.arange(60) < 30)).all()


def stored(path: Path, values: np.ndarray) -> Path:  # type: ignore[type-arg]
    np.savez_compressed(path, embeddings=values)
    return path


def test_rows_are_read_a_part_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings_api, "_ROWS_AT_ONCE", 7)
    values = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float16)
    rows = np.array([0, 6, 7, 20, 29])
    found = read_rows(stored(tmp_path / "embeddings.npz", values), rows, 30)
    np.testing.assert_array_equal(found, values[rows].astype(np.float32))


@pytest.mark.parametrize("broken", ["other_rows", "nan", "no_zip"])
def test_a_file_that_is_not_of_these_predictions_is_refused(tmp_path: Path, broken: str) -> None:
    values = np.zeros((30, 5), np.float16)
    if broken == "nan":
        values[3, 3] = np.nan
    path = stored(tmp_path / "embeddings.npz", values)
    if broken == "no_zip":
        path.write_bytes(b"<html>")
    with pytest.raises((ValueError, zipfile.BadZipFile)):
        read_rows(path, np.arange(30), 31 if broken == "other_rows" else 30)


@pytest.mark.parametrize(
    ("points", "row"),
    [([], None), ([{"customdata": [7]}], 7), ([{"customdata": 7}], 7), ([{"x": 1.0}], None)],
)
def test_a_click_names_a_row(points: list[dict[str, object]], row: int | None) -> None:
    assert clicked({"selection": {"points": points}}) == row


def test_a_map_that_was_not_drawn_yet_has_no_click() -> None:
    assert clicked(None) is None
