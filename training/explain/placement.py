"""Where on the image a heat map's mass lies: on its border, and outside the film.

A classifier that reads burnt-in markers, collimation edges or the black bars of the letterbox instead of
lungs shows it here (DeGrave et al. 2021, "AI for radiographic COVID-19 detection selects shortcuts over
signal"). Mass is evidence for the class: negative values count as none.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float32] | NDArray[np.float64]
Shares = NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.generic)

BORDER = 0.1
"""Width of the border as a share of the image's side: its outer tenth, on all four sides."""

FLAT_BORDER_SHARE = 1 - (1 - 2 * BORDER) ** 2
"""Border share of a map that is the same everywhere, 0.36: what a map has that favours no place."""

FILM_LEVEL = 8
"""Gray levels above this belong to the film: black, and the noise that JPEG leaves in it, do not."""

_SMALLEST_MAP = 3
"""Cells a side from which a map has cells that do not touch the border."""


@dataclass(frozen=True, slots=True, eq=False)
class FilmBoxes:
    """The smallest upright rectangle of each image that holds all of its film, as shares of the sides."""

    top: Shares
    """(N,) in [0, 1)."""
    bottom: Shares
    """(N,) in (0, 1]."""
    left: Shares
    """(N,) in [0, 1)."""
    right: Shares
    """(N,) in (0, 1]."""

    @property
    def outside(self) -> Shares:
        """(N,) share of the image's area outside: the outside share of a flat map."""
        outside: Shares = 1.0 - (self.bottom - self.top) * (self.right - self.left)
        return outside


def on_canvas(images: NDArray[Scalar], canvas_px: tuple[int, int]) -> NDArray[Scalar]:
    """Return square images (N, S, S) in the middle of black ones with the proportions of a canvas.

    A network whose input is no square sees the radiograph so (`training.models.preprocessing`), and its
    activation maps cover the whole canvas.
    """
    side, shortest = images.shape[-1], min(canvas_px)
    height, width = (round(side * length / shortest) for length in canvas_px)
    top, left = (height - side) // 2, (width - side) // 2
    return np.pad(images, ((0, 0), (top, height - side - top), (left, width - side - left)))


def film_boxes(images: NDArray[np.uint8]) -> FilmBoxes:
    """Return where the film lies in (N, H, W) uint8 images; the whole image where all of it is black."""
    bright = images > FILM_LEVEL
    bright |= ~bright.any(axis=(1, 2), keepdims=True)
    top, bottom = _extent(bright.any(axis=2))
    left, right = _extent(bright.any(axis=1))
    return FilmBoxes(top, bottom, left, right)


def border_share(maps: Maps) -> Shares:
    """Return the share of each map's mass on the outer tenth of the image.

    A cell of the map counts by the part of it that the border covers, so maps of any resolution compare.
    `FLAT_BORDER_SHARE` is what a map has that favours no place.

    Args:
        maps: (N, h, w), any scale.

    Returns:
        (N,) float64 in [0, 1]; NaN for a map without positive values, or of fewer than 3 cells a side,
        which cannot tell the border from the centre.
    """
    if min(maps.shape[1:]) < _SMALLEST_MAP:
        return np.full(len(maps), np.nan)
    start, stop = np.full(len(maps), BORDER), np.full(len(maps), 1 - BORDER)
    return 1 - _share_inside(maps, FilmBoxes(start, stop, start, stop))


def outside_share(maps: Maps, boxes: FilmBoxes) -> Shares:
    """Return the share of each map's mass outside the film: (N,), NaN for a map without positive values."""
    return 1 - _share_inside(maps, boxes)


def _share_inside(maps: Maps, boxes: FilmBoxes) -> Shares:
    """Return (N,) shares of the mass of (N, h, w) maps inside the boxes."""
    evidence = np.maximum(maps, 0).astype(np.float64)
    height, width = maps.shape[1:]
    rows = _coverage(height, boxes.top, boxes.bottom)
    columns = _coverage(width, boxes.left, boxes.right)
    inside = np.einsum("nhw,nh,nw->n", evidence, rows, columns)
    mass = evidence.sum(axis=(1, 2))
    return np.divide(inside, mass, out=np.full(len(maps), np.nan), where=mass > 0)


def _coverage(cells: int, start: Shares, stop: Shares) -> Shares:
    """Return (N, cells) how much of each cell along a side lies between `start` and `stop`."""
    index = np.arange(cells)
    reached = np.minimum(stop[:, None] * cells, index + 1) - np.maximum(start[:, None] * cells, index)
    covered: Shares = reached.clip(0, 1)
    return covered


def _extent(bright: NDArray[np.bool_]) -> tuple[Shares, Shares]:
    """Return where the first true of each row of (N, side) begins and the last one ends, as shares."""
    side = bright.shape[1]
    return bright.argmax(axis=1) / side, 1 - bright[:, ::-1].argmax(axis=1) / side
