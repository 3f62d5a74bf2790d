"""Lays one picture over a part of another and says how alike their fine structure is there.

Chest films all look alike at a glance: the same shadows stand in the same places. What tells two films
apart is their detail (ribs, vessels, cables) once they lie exactly over each other, so pictures are
compared by their local contrast, and the better place is looked for before they are called different.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

Floats32 = NDArray[np.float32]

_SIGMA_PX = 3.0
"""Standard deviation of the neighbourhood that local contrast is measured against, in pixels."""

_NOISE_LEVELS = 2.0
"""Gray levels of contrast that count as noise: flat regions are not blown up."""

_LARGEST_STEP = 0.04
"""Furthest that one iteration moves an edge, as a share of the side."""

_SMALLEST_SCALE, _LARGEST_SCALE = 0.5, 1.1
"""Sides of the part that the template may cover, as a share of the picture's."""

_SMALLEST_GAIN = 1e-3
"""Correlation that an iteration must gain for the next one to be tried."""


@dataclass(frozen=True, eq=False)
class Detail:
    """The local contrast of a square picture, at one resolution."""

    contrast: Floats32
    """(S, S), (a - G*a) / (sqrt(G*(a - G*a)^2) + 2), G* a Gaussian mean: free of brightness, windowing and
    gamma, and a burnt-in mark counts only where it stands (local contrast normalisation: Jarrett et al.
    2009)."""
    grid: int
    """Points per side at which pictures are compared."""

    @classmethod
    def of(cls, picture: NDArray[Any], grid: int) -> "Detail":
        """Measure the local contrast of (S, S) gray levels from 0 to 255."""
        levels = picture.astype(np.float32)
        high = levels - gaussian_filter(levels, _SIGMA_PX, mode="nearest")
        spread = np.sqrt(gaussian_filter(high * high, _SIGMA_PX, mode="nearest"))
        return cls((high / (spread + _NOISE_LEVELS)).astype(np.float32), grid)

    @cached_property
    def slopes(self) -> tuple[Floats32, Floats32]:
        """Change of the contrast per side of the picture, to the right and downwards."""
        down, right = np.gradient(self.contrast)
        side = len(self.contrast)
        return right * side, down * side

    @cached_property
    def places(self) -> Floats32:
        """(3, grid * grid): 1, and the place of each point as a share of the width and of the height."""
        share = (np.arange(self.grid, dtype=np.float32) + 0.5) / self.grid
        down, right = np.meshgrid(share, share, indexing="ij")
        return np.stack([np.ones(self.grid**2, np.float32), right.ravel(), down.ravel()])


def window_warp(left: float, top: float, width: float, height: float) -> NDArray[np.float64]:
    """Return the warp that lays a template over a window, given as shares of the picture's sides."""
    return np.array([[left, width, 0.0], [top, 0.0, height]])


def align(
    picture: Detail, template: Detail, warp: NDArray[np.float64], *, iterations: int
) -> tuple[float, NDArray[np.float64]]:
    """Move the template over the picture until they correlate best, from a first guess.

    Maximises the correlation over affine warps by the enhanced correlation coefficient's iteration
    (Evangelidis and Psarakis 2008, IEEE PAMI 30:1858, forward additive): with the zero-mean picture w
    under the warp, template t and Jacobian J, the step is (J'J)^-1 J'(lambda t - w) and
    lambda = (w'w - w'Pw) / (t'w - t'Pw), P projecting on the columns of J.

    Args:
        picture: the one that may show more.
        template: the one that may be a part of it; of the same grid.
        warp: (2, 3) first guess; the point (u, v) of the template lies at warp @ (1, u, v) in the picture,
            both as shares of the sides.
        iterations: steps at most; it stops where a step gains nothing.

    Returns:
        The correlation in [-1, 1], 0 where either is flat, and the (2, 3) warp that gave it.
    """
    wanted = _unit(_sample(template.contrast, template.places[1:]))
    best, best_warp = -1.0, warp
    for _ in range(iterations + 1):
        places = warp @ picture.places
        seen = _sample(picture.contrast, places)
        correlation = float(_unit(seen) @ wanted)
        if correlation < best + _SMALLEST_GAIN:
            break
        best, best_warp = correlation, warp
        warp = warp + _step(picture, places, seen - seen.mean(), wanted)
        if not all(_SMALLEST_SCALE <= scale <= _LARGEST_SCALE for scale in (warp[0, 1], warp[1, 2])):
            break
    return best, best_warp


def _step(
    picture: Detail, places: NDArray[np.float64], seen: Floats32, wanted: Floats32
) -> NDArray[np.float64]:
    """Return the (2, 3) change of the warp that the linearised correlation asks for."""
    right, down = (_sample(slope, places) for slope in picture.slopes)
    jacobian = np.concatenate([right * picture.places, down * picture.places]).astype(np.float64)
    jacobian -= jacobian.mean(axis=1, keepdims=True)
    squares = jacobian @ jacobian.T
    squares += np.eye(6) * (
        1e-6 * np.trace(squares) + 1e-12
    )  # a flat direction gives no step, not a huge one
    along_seen, along_wanted = jacobian @ seen, jacobian @ wanted
    projected = np.linalg.solve(squares, along_seen)
    shared = wanted @ seen - along_wanted @ projected
    scale = (seen @ seen - along_seen @ projected) / shared if shared > 1e-9 else np.linalg.norm(seen)
    step = np.linalg.solve(squares, scale * along_wanted - along_seen)
    limited: NDArray[np.float64] = np.clip(step, -_LARGEST_STEP, _LARGEST_STEP).reshape(2, 3)
    return limited


def _sample(values: Floats32, places: NDArray[Any]) -> Floats32:
    """Return (P,) values at (2, P) places right and down, as shares of the sides, between pixels linearly."""
    pixels = places[::-1] * len(values) - 0.5
    sampled: Floats32 = map_coordinates(values, pixels, order=1, mode="nearest", output=np.float32)
    return sampled


def _unit(values: Floats32) -> Floats32:
    """Return the values with mean 0 and length 1; zeros where they are flat."""
    centred = values - values.mean()
    length = float(np.linalg.norm(centred))
    return centred / length if length > 1e-6 else np.zeros_like(centred)
