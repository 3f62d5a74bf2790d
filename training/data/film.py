"""What every drawn picture is made of: a tilted grid, soft edges, smooth noise, and a film's tone curve.

Shapes are functions of position rather than polygons, so that a radiograph is a sum of attenuations
(as in a real one) and costs a few milliseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Array = NDArray[np.float32]

DRAWING_PX = 256
"""Longest side while drawing; the finished film is enlarged to 256 to 384 px."""


@dataclass(frozen=True)
class Grid:
    """The pixels of a picture in the coordinates of the body that stands before the film."""

    u: Array
    """(H, W) position across the body, 0 on its mid-line, positive to the right of the picture."""
    v: Array
    """(H, W) position along the body, 0 at the top and 1 at the bottom of an untilted picture."""
    scale_px: float
    """Pixels per unit of `u` and `v`."""
    tilt: float
    """Rotation of the body, in radians."""
    centre: tuple[float, float]
    """Where (u, v) = (0, 0.5) lies, in pixels from the left and from the top."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        height, width = self.u.shape
        return height, width

    def to_pixels(self, u: float, v: float) -> tuple[float, float]:
        """Return the pixel (from the left, from the top) of a point of the body."""
        du, dv = u * self.scale_px, (v - 0.5) * self.scale_px
        cos, sin = np.cos(self.tilt), np.sin(self.tilt)
        return self.centre[0] + cos * du - sin * dv, self.centre[1] + sin * du + cos * dv


def make_grid(
    rng: np.random.Generator, *, aspect: tuple[float, float], tilt_deg: float = 3.0, shift: float = 0.02
) -> Grid:
    """Return a drawing grid of random aspect (width / height, within `aspect`), tilt and place."""
    ratio = rng.uniform(*aspect)
    height, width = DRAWING_PX, DRAWING_PX
    if ratio < 1:
        width = round(DRAWING_PX * ratio)
    else:
        height = round(DRAWING_PX / ratio)
    tilt = float(np.deg2rad(rng.uniform(-tilt_deg, tilt_deg)))
    scale_px = height * float(rng.uniform(0.94, 1.06))
    centre = (
        width * 0.5 + height * float(rng.uniform(-shift, shift)),
        height * (0.5 + float(rng.uniform(-shift, shift))),
    )
    x = (np.arange(width, dtype=np.float32) - np.float32(centre[0])) / np.float32(scale_px)
    y = (np.arange(height, dtype=np.float32)[:, None] - np.float32(centre[1])) / np.float32(scale_px)
    cos, sin = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
    return Grid(cos * x + sin * y, cos * y - sin * x + np.float32(0.5), scale_px, tilt, centre)


def ramp(distance: Array, softness: float) -> Array:
    """Return 0 where `distance` is far below zero, 1 far above, with a smooth edge `softness` wide."""
    t = distance * np.float32(1 / softness)
    t += np.float32(0.5)
    np.maximum(t, np.float32(0), out=t)
    np.minimum(t, np.float32(1), out=t)
    curve = t * np.float32(-2)
    curve += np.float32(3)
    curve *= t
    curve *= t
    return curve


def ellipse(grid: Grid, centre: tuple[float, float], radii: tuple[float, float], turn: float = 0.0) -> Array:
    """Return the (H, W) distance from an ellipse's centre, 1 on its outline; `turn` in radians."""
    du, dv = grid.u - np.float32(centre[0]), grid.v - np.float32(centre[1])
    cos, sin = np.cos(turn), np.sin(turn)
    along = du * np.float32(cos / radii[0])
    along += dv * np.float32(sin / radii[0])
    across = dv * np.float32(cos / radii[1])
    across -= du * np.float32(sin / radii[1])
    along *= along
    across *= across
    along += across
    np.sqrt(along, out=along)
    return along


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cells: int) -> Array:
    """Return (H, W) noise of mean 0 and deviation about 1, with `cells` independent values per side."""
    coarse = rng.standard_normal((cells, cells), dtype=np.float32)
    picture = Image.fromarray(coarse).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(picture) * np.float32(1.3)


def strokes(
    grid: Grid, lines: Sequence[tuple[Sequence[tuple[float, float]], float]], blur_px: float
) -> Array:
    """Return (H, W) in [0, 1]: polylines in body coordinates with their widths, then blurred."""
    height, width = grid.shape
    canvas = Image.new("L", (width, height))
    draw = ImageDraw.Draw(canvas)
    for points, breadth in lines:
        pixels = [grid.to_pixels(u, v) for u, v in points]
        draw.line(pixels, fill=255, width=max(1, round(breadth * grid.scale_px)), joint="curve")
    return np.asarray(canvas.filter(ImageFilter.GaussianBlur(blur_px)), dtype=np.float32) / np.float32(255)


def expose(rng: np.random.Generator, density: Array, *, grain: float = 0.012) -> NDArray[np.uint8]:
    """Turn attenuation into an 8-bit film: size, window, tone curve and grain vary as between departments.

    Args:
        density: (H, W) attenuation, 0 for air; white on the film where it is high.
        rng: draws the exposure.
        grain: standard deviation of the noise, as a share of the range.

    Returns:
        (H', W') uint8, longest side 256 to 384 px.
    """
    low, high = np.quantile(density[::4, ::4], [0.02, 0.995])
    low -= rng.uniform(0.0, 0.06) * (high - low)
    high += rng.uniform(-0.04, 0.10) * (high - low)
    film = resize(density, int(rng.integers(DRAWING_PX, 385)))
    film = np.clip((film - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    film **= np.float32(rng.uniform(0.6, 1.1))
    film += rng.standard_normal(film.shape, dtype=np.float32) * np.float32(grain * rng.uniform(0.5, 1.5))
    film *= np.float32(255)
    return np.asarray(np.clip(film, 0, 255, out=film), dtype=np.uint8)


def resize(picture: Array, longest_px: int) -> Array:
    """Return (H, W) enlarged to a longest side of `longest_px`, proportions kept."""
    height, width = picture.shape
    factor = longest_px / max(height, width)
    size = (round(width * factor), round(height * factor))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


@cache
def font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's built-in typeface at one size."""
    return ImageFont.load_default(size_px)
