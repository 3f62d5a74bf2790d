"""Draws pictures that are no frontal chest radiograph: what a filter must learn to reject.

Each function takes a generator and returns (H, W) uint8, or (H, W, 3) where the picture has colour.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from training.data.film import Array, Grid, ellipse, expose, font, make_grid, ramp, smooth_noise, strokes

Picture = NDArray[np.uint8]

_WORDS = (
    "report",
    "train",
    "metrics",
    "patient",
    "release",
    "of",
    "the",
    "a",
    "model",
    "queue",
    "and",
    "with",
)


def draw_ct(rng: np.random.Generator) -> Picture:
    """Return an axial CT slice of a chest, in a lung or a soft-tissue window."""
    grid = make_grid(rng, aspect=(1.0, 1.4))
    v = 0.5 + rng.uniform(-0.03, 0.03)
    half_width, half_depth = rng.uniform(0.44, 0.55), rng.uniform(0.33, 0.40)
    body = ellipse(grid, (0, v), (half_width, half_depth))
    tissue = ramp(1 - body, 0.03) * np.float32(0.62) + ramp(np.float32(0.92) - body, 0.03) * np.float32(0.13)
    spine = ramp(1 - ellipse(grid, (0, v + 0.20), (0.06, 0.055)), 0.2)
    heart = ramp(1 - ellipse(grid, (0.05, v - 0.06), (0.16, 0.13), 0.4), 0.12)
    lungs = np.zeros(grid.shape, dtype=np.float32)
    for sign in (-1, 1):
        lobe = ellipse(
            grid, (sign * half_width * 0.50, v + 0.01), (half_width * 0.40, half_depth * 0.78), sign * 0.15
        )
        lungs = np.maximum(lungs, ramp(1 - lobe, 0.05))
    lungs *= (1 - heart) * (1 - spine)
    dots = (smooth_noise(rng, grid.shape, 40) > 1.5).astype(np.float32) * np.float32(0.4)
    density = tissue - lungs * (np.float32(0.60) - dots) + spine * np.float32(0.5) + heart * np.float32(0.08)
    for angle in np.linspace(0.3, 2.84, 6):
        for sign in (-1, 1):
            at = (half_width * 0.9 * float(np.sin(angle)) * sign, v - half_depth * 0.9 * float(np.cos(angle)))
            density += ramp(1 - ellipse(grid, at, (0.05, 0.016), sign * float(angle)), 0.5) * np.float32(0.4)
    table = np.abs(grid.v - np.float32(v + half_depth + 0.03) + np.float32(0.25) * grid.u**2)
    density += ramp(np.float32(0.006) - table, 0.008) * np.float32(0.3)
    if rng.random() < 0.5:  # a soft-tissue window drives the lungs to black
        density = np.clip(density - np.float32(0.45), 0, None)
    return expose(rng, density, grain=0.025)


def draw_bones(rng: np.random.Generator) -> Picture:
    """Return a radiograph of a hand or of a knee."""
    return _draw_hand(rng) if rng.random() < 0.5 else _draw_knee(rng)


def _draw_hand(rng: np.random.Generator) -> Picture:
    grid = make_grid(rng, aspect=(0.7, 1.0), tilt_deg=25, shift=0.05)
    skin, bones = [], []
    mirror = rng.choice([-1, 1])
    for finger, angle in enumerate(np.deg2rad([-48, -14, -3, 8, 20]) + rng.uniform(-0.05, 0.05, 5)):
        at = np.array([mirror * (0.035 * finger - 0.07), 0.72])
        toward = np.array([mirror * np.sin(angle), -np.cos(angle)])
        size = (0.62, 0.9, 1.0, 0.94, 0.75)[finger]
        skin.append((_points(at, at + toward * 0.60 * size), 0.075))
        for length in (0.25, 0.15, 0.09, 0.07)[finger == 0 :]:
            end = at + toward * length * size
            bones.append((_points(at, end), 0.026))
            skin.append((_points(at, end), 0.07))
            at = end + toward * 0.014
    wrist = [(_points(np.array([x, 0.76]), np.array([x * 0.8, 1.1])), 0.06) for x in (-0.05, 0.05)]
    palm = ramp(1 - ellipse(grid, (0, 0.68), (0.15, 0.17)), 0.2)
    carpals = ramp(1 - ellipse(grid, (0, 0.75), (0.10, 0.05)), 0.3) * (
        1 + np.float32(0.3) * _speckle(rng, grid)
    )
    arm = strokes(grid, [(_points(np.array([0, 0.7]), np.array([0, 1.2])), 0.21)], 3)
    flesh = np.maximum(np.maximum(strokes(grid, skin, 2.5), palm), arm)
    density = flesh * np.float32(0.35) + strokes(grid, bones + wrist, 1.2) * np.float32(0.45)
    return expose(rng, density + carpals * np.float32(0.35))


def _draw_knee(rng: np.random.Generator) -> Picture:
    grid = make_grid(rng, aspect=(0.85, 1.1), tilt_deg=8, shift=0.04)
    gap = rng.uniform(0.012, 0.03)
    side = np.abs(grid.u)
    flesh = np.sqrt(np.clip(1 - (grid.u / np.float32(rng.uniform(0.42, 0.55))) ** 2, 0, 1)) * np.float32(0.5)
    waist = np.float32(0.13) + np.float32(0.15) * ramp(
        np.float32(0.22) - np.abs(grid.v - np.float32(0.5)), 0.3
    )
    shaft = ramp(waist - side, 0.02)
    rim = ramp(waist - side, 0.02) - ramp(waist - np.float32(0.018) - side, 0.02)
    notch = np.float32(0.05) * ramp(np.float32(0.06) - side, 0.06)
    joint = np.abs(grid.v - np.float32(0.5) + notch + np.float32(0.4) * (side - np.float32(0.13)) ** 2)
    bone = shaft * ramp(joint - np.float32(gap), 0.015)
    plate = shaft * ramp(np.float32(gap + 0.02) - joint, 0.015) * ramp(joint - np.float32(gap), 0.01)
    patella = ramp(1 - ellipse(grid, (rng.uniform(-0.03, 0.03), 0.36), (0.11, 0.12)), 0.15) * np.float32(0.07)
    fibula = ramp(np.float32(0.035) - np.abs(grid.u - np.float32(0.27)), 0.02) * ramp(
        grid.v - np.float32(0.62), 0.03
    )
    trabeculae = smooth_noise(rng, grid.shape, 60) * np.float32(0.012)
    density = flesh + bone * (np.float32(0.28) + trabeculae) + rim * bone * np.float32(0.12)
    return expose(rng, density + plate * np.float32(0.10) + patella + fibula * np.float32(0.2))


def draw_lateral(rng: np.random.Generator) -> Picture:
    """Return a lateral chest radiograph."""
    grid = make_grid(rng, aspect=(0.75, 1.0))
    facing = float(rng.choice([-1, 1]))
    grid = Grid(grid.u * np.float32(facing), grid.v, grid.scale_px, grid.tilt, grid.centre)
    depth = np.float32(rng.uniform(0.27, 0.33))
    bow = np.float32(0.035) * np.cos((grid.v - np.float32(0.45)) * np.float32(5))
    front, back = grid.u + depth + bow, depth + bow - grid.u
    inside = np.clip(front * back / depth**2, 0, 1)
    belly = ramp(grid.v - np.float32(0.75), 0.2) * np.float32(0.15)
    density = np.sqrt(inside) * (np.float32(0.72) + belly)
    arm = ramp(np.float32(0.20) - grid.v, 0.15) * ramp(
        np.float32(0.27) - np.abs(grid.u - np.float32(0.02)), 0.1
    )
    dome = np.float32(rng.uniform(0.70, 0.78)) + np.float32(1.1) * (grid.u + np.float32(0.05)) ** 2
    dome = dome + np.float32(0.25) * grid.u
    lung = ramp(front - np.float32(0.055), 0.03) * ramp(back - np.float32(0.06), 0.04)
    lung = lung * ramp(dome - grid.v, 0.02) * ramp(grid.v - np.float32(0.16), 0.12)
    heart = ramp(1 - ellipse(grid, (-0.10, 0.60), (0.18, 0.12), 0.9), 0.6)
    density = density - lung * np.float32(0.45) * (1 - np.float32(0.6) * heart) + arm * np.float32(0.22)
    spine = np.abs(back - np.float32(0.095))
    discs = np.cos(grid.v * np.float32(2 * np.pi / rng.uniform(0.055, 0.065)))
    density += ramp(np.float32(0.035) - spine, 0.02) * (np.float32(0.12) + np.float32(0.05) * discs)
    slope = (grid.v - np.float32(0.75) * (back - depth)) / np.float32(0.075)
    ribs = ramp(np.float32(0.16) - np.abs(slope - np.floor(slope) - np.float32(0.5)), 0.12)
    density += ribs * lung * np.float32(0.06)
    density += lung * smooth_noise(rng, grid.shape, 36) * np.float32(0.02)
    return expose(rng, density)


def draw_object(rng: np.random.Generator) -> Picture:
    """Return an X-ray picture of objects on a bright ground, as of baggage."""
    grid = make_grid(rng, aspect=(0.8, 1.25), tilt_deg=180)
    absorbed = np.abs(smooth_noise(rng, grid.shape, 3)) * np.float32(0.05)
    for _ in range(rng.integers(1, 6)):
        centre = (float(rng.uniform(-0.3, 0.3)), float(rng.uniform(0.2, 0.8)))
        around, radius = ellipse(grid, centre, (1, 1)), float(rng.uniform(0.08, 0.24))
        if rng.random() < 0.4:  # a star or a gear
            angle = np.arctan2(grid.v - np.float32(centre[1]), grid.u - np.float32(centre[0]))
            around = around * (
                1 + np.float32(rng.uniform(0.1, 0.5)) * np.cos(angle * int(rng.integers(4, 10)))
            )
        elif rng.random() < 0.6:  # a box or a blade
            length = np.abs(grid.u - np.float32(centre[0])) * np.float32(rng.uniform(0.4, 1.0))
            around = np.maximum(
                length, np.abs(grid.v - np.float32(centre[1])) * np.float32(rng.uniform(1, 4))
            )
        hole = ramp(np.float32(radius * 0.4) - around, 0.008) if rng.random() < 0.4 else np.float32(0)
        absorbed += (ramp(np.float32(radius) - around, 0.008) - hole) * np.float32(rng.uniform(0.2, 1.2))
    return expose(rng, np.exp(-absorbed))


def draw_photograph(rng: np.random.Generator) -> Picture:
    """Return a colour picture of shapes before a landscape, (H, W, 3)."""
    grid = make_grid(rng, aspect=(0.7, 1.5), tilt_deg=15)
    height, width = grid.shape
    sky, ground = rng.uniform(0.2, 1.0, (2, 3)).astype(np.float32)
    horizon = ramp(grid.v - np.float32(rng.uniform(0.3, 0.8)) + smooth_noise(rng, grid.shape, 5) * 0.03, 0.05)
    scene = sky + (ground - sky) * horizon[..., None]
    scene += (smooth_noise(rng, grid.shape, 30) * np.float32(0.06))[..., None]
    picture = Image.fromarray(np.asarray(np.clip(scene * 255, 0, 255), dtype=np.uint8))
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(3, 14)):
        x, y = rng.uniform(0, 1, 2) * (width, height)
        size = rng.uniform(0.05, 0.3) * height
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        if rng.random() < 0.5:
            draw.ellipse((x - size, y - size * 0.7, x + size, y + size * 0.7), fill=colour)
        else:
            corners = rng.uniform(-size, size, (int(rng.integers(3, 7)), 2)) + np.array([x, y])
            draw.polygon([tuple(corner) for corner in corners.tolist()], fill=colour)
    picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.5))))
    light = 1 + np.float32(0.12) * smooth_noise(rng, grid.shape, 4) + np.float32(0.02) * _speckle(rng, grid)
    return np.asarray(np.clip(np.asarray(picture) * light[..., None], 0, 255), dtype=np.uint8)


def draw_document(rng: np.random.Generator) -> Picture:
    """Return a page of text with boxes or a plot, (H, W, 3)."""
    height, width = int(rng.integers(200, 385)), int(rng.integers(256, 385))
    paper, ink = (int(rng.integers(235, 256)), int(rng.integers(0, 80)))
    if rng.random() < 0.2:
        paper, ink = ink, paper
    page = Image.new("RGB", (width, height), (paper,) * 3)
    draw = ImageDraw.Draw(page)
    size = int(rng.integers(8, 15))
    for y in range(int(height * 0.06), height - size, round(size * 1.6)):
        if rng.random() < 0.15:
            colour = tuple(int(c) for c in rng.integers(60, 256, 3))
            left, right = sorted(rng.uniform(0.05, 0.95, 2) * width)
            draw.rectangle((left, y, right, y + size * rng.uniform(1, 5)), fill=colour, outline=(ink,) * 3)
        elif rng.random() < 0.85:
            words = rng.choice(_WORDS, int(rng.integers(2, max(3, width // (4 * size)))))
            draw.text((width * 0.06, y), " ".join(words), fill=(ink,) * 3, font=font(size))
    if rng.random() < 0.4:
        points = np.cumsum(rng.normal(0, height * 0.05, 24)) + height / 2
        curve = list(zip(np.linspace(width * 0.1, width * 0.9, 24).tolist(), points.tolist(), strict=True))
        draw.line(curve, fill=(int(rng.integers(256)), 80, 160), width=2)
    return np.asarray(page)


def _points(start: NDArray[np.float64], end: NDArray[np.float64]) -> list[tuple[float, float]]:
    return [(float(start[0]), float(start[1])), (float(end[0]), float(end[1]))]


def _speckle(rng: np.random.Generator, grid: Grid) -> Array:
    return rng.standard_normal(grid.shape, dtype=np.float32)


KINDS: dict[str, Callable[[np.random.Generator], Picture]] = {
    "ct": draw_ct,
    "natural": draw_photograph,
    "non_chest_xray": draw_bones,
    "object_xray": draw_object,
    "document": draw_document,
    "lateral_cxr": draw_lateral,
}
"""The kinds of non-valid picture, as in `metadata.csv`, with what draws them."""
