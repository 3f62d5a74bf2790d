"""Draws stylised frontal chest radiographs: one anatomy per patient, several findings.

The sum of attenuations follows a posterior-anterior film: soft tissue, less the air of the lungs,
plus mediastinum, bones and, with a finding, fluid in the air spaces. What tells the findings apart
is where the opacities lie and how sharp they are, never the picture's brightness.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from training.data.film import Array, Grid, ellipse, expose, font, make_grid, ramp, smooth_noise, strokes

Strokes = list[tuple[list[tuple[float, float]], float]]


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """What stays the same from one film of a patient to the next; lengths in heights of the picture."""

    chest_width: float
    """Half the width of the rib cage at its widest."""
    dome: tuple[float, float]
    """Height of the diaphragm on the left and on the right of the picture."""
    apex: float
    """Height of the lungs' upper ends."""
    heart: tuple[float, float, float]
    """Half-length, half-width and tilt (radians) of the heart."""
    rib_spacing: float
    """From one rib to the next."""
    rib_phase: float
    """Place of the first rib, in [0, 1) of the spacing."""
    bone: float
    """Density of bone against the average patient."""
    fat: float
    """Thickness of the chest wall against the average patient."""
    breasts: float
    """Density of breast shadows; 0 for none."""


def sample_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draw one patient's anatomy."""
    dome = rng.uniform(0.70, 0.80)
    return Anatomy(
        chest_width=rng.uniform(0.34, 0.40),
        dome=(dome, dome + rng.uniform(0.01, 0.05)),
        apex=rng.uniform(0.10, 0.15),
        heart=(rng.uniform(0.175, 0.22), rng.uniform(0.12, 0.15), rng.uniform(0.6, 1.0)),
        rib_spacing=rng.uniform(0.070, 0.085),
        rib_phase=rng.uniform(0, 1),
        bone=rng.uniform(0.7, 1.3),
        fat=rng.uniform(0.8, 1.25),
        breasts=rng.uniform(0.05, 0.16) if rng.random() < 0.45 else 0.0,
    )


def draw_radiograph(
    rng: np.random.Generator, finding: str, anatomy: Anatomy | None = None
) -> NDArray[np.uint8]:
    """Return a frontal chest film: (H, W) uint8, longest side 256 to 384 px.

    Args:
        rng: draws everything that is not given.
        finding: one of `hilum.contract.LABELS`.
        anatomy: the patient; a new one is drawn where None.
    """
    body = anatomy or sample_anatomy(rng)
    grid = make_grid(rng, aspect=(0.82, 1.12))
    centre = _mediastinum(grid, body)
    lungs = _lung_fields(grid, body, centre)
    hidden = ramp(grid.v - np.float32(body.dome[1] + 0.015), 0.05)  # by the belly, below the diaphragm
    density = _soft_tissue(grid, body) - np.float32(0.52) * lungs
    density += centre * (np.float32(0.17) - np.float32(0.14) * hidden)
    density += _spine(grid, body, centre) + _bones(grid, body, lungs) + _vessels(rng, grid, lungs)
    density += lungs * np.float32(0.025) * smooth_noise(rng, grid.shape, 40)
    density += lungs * _opacity(rng, grid, body, finding)
    if rng.random() < 0.25:
        density += _lines(rng, grid)
    return _finish(rng, expose(rng, density))


def _thorax_half_width(v: Array, body: Anatomy) -> Array:
    """Return half the width of the rib cage at each height."""
    rise = np.clip((np.float32(0.72) - v) / np.float32(0.72 - body.apex + 0.03), 0, 1)
    width = np.float32(body.chest_width) * np.sqrt(1 - rise**2.6)
    return np.asarray(width, dtype=np.float32)


def _lung_fields(grid: Grid, body: Anatomy, centre: Array) -> Array:
    """Return (H, W) in [0, 1]: how much of the beam's path is lung; `centre` is the mediastinum."""
    side = np.abs(grid.u)
    lateral = ramp(_thorax_half_width(grid.v, body) - side - np.float32(0.018), 0.02)
    height = np.where(grid.u < 0, np.float32(body.dome[0]), np.float32(body.dome[1]))
    fall = np.maximum(side - np.float32(0.27), 0)
    dome = height + np.float32(1.7) * (side - np.float32(0.15)) ** 2 + np.float32(5) * fall**2
    above = ramp(dome - grid.v, 0.016)
    depth = np.float32(0.75) + np.float32(0.25) * ramp(grid.v - np.float32(body.apex + 0.12), 0.35)
    return np.asarray(lateral * above * depth * (1 - np.float32(0.92) * centre), dtype=np.float32)


def _mediastinum(grid: Grid, body: Anatomy) -> Array:
    """Return (H, W) in [0, 1]: one outline around great vessels, aortic arch, pulmonary trunk and heart."""
    length, width, tilt = body.heart
    base = body.dome[1]
    heart = ramp(1 - ellipse(grid, (0.055, base - 0.11), (length, width), tilt), 0.12)
    atrium = ramp(1 - ellipse(grid, (-0.035, base - 0.10), (0.075, 0.11)), 0.2)
    arch = ramp(1 - ellipse(grid, (0.035, 0.335), (0.052, 0.06)), 0.4)
    trunk = ramp(1 - ellipse(grid, (0.03, 0.44), (0.062, 0.11)), 0.5)
    vessels = ramp(np.float32(0.052) + np.float32(0.02) * grid.v - np.abs(grid.u), 0.03)
    shape = np.maximum(np.maximum(heart, atrium), np.maximum(arch, trunk))
    return np.maximum(shape, vessels)


def _soft_tissue(grid: Grid, body: Anatomy) -> Array:
    """Return the attenuation of neck, shoulders and trunk, as of elliptic cross-sections."""
    shoulder = ramp(grid.v - np.float32(0.105), 0.17)
    trunk = ramp(grid.v - np.float32(0.33), 0.22)
    torso = np.float32(body.chest_width + 0.045 * body.fat)
    half_width = 0.095 + shoulder * np.float32(body.chest_width + 0.06)
    half_width = half_width + trunk * (torso - half_width)
    inside = np.clip(1 - (grid.u / half_width) ** 2, 0, 1)
    belly = np.float32(0.20) * ramp(grid.v - np.float32(body.dome[0]), 0.2)
    tissue = np.sqrt(inside) * (np.float32(0.62 + 0.16 * body.fat) + belly)
    if body.breasts:
        for sign in (-1, 1):
            r = ellipse(grid, (sign * 0.19, 0.60), (0.15, 0.17))
            tissue = tissue + np.float32(body.breasts) * ramp(1 - r, 0.35) * ramp(
                grid.v - np.float32(0.5), 0.3
            )
    return np.asarray(tissue, dtype=np.float32)


def _spine(grid: Grid, body: Anatomy, centre: Array) -> Array:
    """Return vertebrae, and the roots of the lungs beside the `centre`, less the air of the trachea."""
    discs = np.cos(grid.v * np.float32(2 * np.pi / (body.rib_spacing * 0.72)))
    side = np.abs(grid.u)
    spine = ramp(np.float32(0.042) - side, 0.014) * (np.float32(0.055) + np.float32(0.014) * discs)
    trachea = ramp(np.float32(0.017) - np.abs(grid.u - np.float32(0.004)), 0.014)
    trachea = trachea * ramp(np.float32(0.37) - grid.v, 0.06) * np.float32(-0.10)
    total = spine * np.float32(body.bone) + trachea
    for root in ((-0.09, 0.475), (0.10, 0.455)):
        shadow = ramp(1 - ellipse(grid, root, (0.05, 0.08)), 0.9) * (1 - centre)
        total = total + shadow * np.float32(0.15)
    return np.asarray(total, dtype=np.float32)


def _bones(grid: Grid, body: Anatomy, lungs: Array) -> Array:
    """Return ribs (the near halves faint), collar bones and the heads of the upper arms."""
    side = np.abs(grid.u)
    cage = ramp(_thorax_half_width(grid.v, body) + np.float32(0.012) - side, 0.012)
    cage = cage * ramp(np.float32(body.dome[0] + 0.12) - grid.v, 0.12)
    seen = cage * (np.float32(0.35) + np.float32(0.65) * np.minimum(lungs * 1.4, 1))
    back = grid.v + np.float32(0.10) * side - np.float32(1.9) * np.maximum(side - np.float32(0.16), 0) ** 2
    front = grid.v + np.float32(0.50) * side + np.float32(0.9) * side**2
    ribs = _rib_profile(back, body, 0.0) * ramp(side - np.float32(0.05), 0.03) * np.float32(0.13)
    ribs = ribs + _rib_profile(front, body, 0.4) * ramp(side - np.float32(0.17), 0.12) * np.float32(0.06)
    collar = grid.v - np.float32(body.apex + 0.075) + np.float32(0.20) * side
    collar = collar - np.float32(0.014) * np.sin(side * np.float32(17))
    clavicle = ramp(np.float32(0.0135) - np.abs(collar), 0.01) * ramp(side - np.float32(0.03), 0.015)
    clavicle = clavicle * ramp(np.float32(body.chest_width - 0.01) - side, 0.03) * np.float32(0.15)
    bones = ribs * seen + clavicle
    for sign in (-1, 1):
        joint = (sign * (body.chest_width + 0.07), body.apex + 0.075)
        bones = bones + ramp(1 - ellipse(grid, joint, (0.058, 0.062)), 0.25) * np.float32(0.20)
        blade = ellipse(grid, (sign * (body.chest_width - 0.01), 0.34), (0.075, 0.16), sign * 0.25)
        bones = bones + ramp(1 - blade, 0.12) * np.float32(0.055)
    return np.asarray(bones * np.float32(body.bone), dtype=np.float32)


def _rib_profile(height: Array, body: Anatomy, phase: float) -> Array:
    """Return one rib after the other along `height`: a faint middle between brighter cortical edges."""
    turns = height / np.float32(body.rib_spacing) + np.float32(body.rib_phase + phase)
    off_axis = np.abs(turns - np.floor(turns) - np.float32(0.5))
    core = ramp(np.float32(0.20) - off_axis, 0.07)
    edge = ramp(np.float32(0.06) - np.abs(off_axis - np.float32(0.18)), 0.08)
    return np.asarray(np.float32(0.65) * core + np.float32(0.5) * edge, dtype=np.float32)


def _vessels(rng: np.random.Generator, grid: Grid, lungs: Array) -> Array:
    """Return vessels that branch and thin from the hila towards the edge of the lungs."""
    lines: Strokes = []
    for sign, height in ((-1, 0.475), (1, 0.455)):
        for angle in np.linspace(-1.15, 1.25, 9) + rng.uniform(-0.12, 0.12, 9):
            _branch(rng, lines, (sign * 0.085, height), sign, float(angle), breadth=0.012, depth=3)
    return strokes(grid, lines, grid.scale_px * 0.004) * lungs * np.float32(0.20)


def _branch(
    rng: np.random.Generator,
    lines: Strokes,
    start: tuple[float, float],
    sign: int,
    angle: float,
    *,
    breadth: float,
    depth: int,
) -> None:
    """Add one vessel and, `depth` times over, the two that it divides into."""
    length = rng.uniform(0.05, 0.10)
    end = (start[0] + sign * length * float(np.cos(angle)), start[1] + length * float(np.sin(angle)))
    lines.append(([start, end], breadth))
    if depth > 1:
        for turn in rng.uniform([-0.5, 0.1], [-0.1, 0.5]):
            _branch(rng, lines, end, sign, angle + float(turn), breadth=breadth * 0.6, depth=depth - 1)


def _opacity(rng: np.random.Generator, grid: Grid, body: Anatomy, finding: str) -> Array:
    """Return the attenuation that a finding adds inside the lungs, (H, W) or 0 everywhere."""
    patches: list[tuple[float, float, float, float]] = []
    if finding == "lung_opacity":
        side = rng.choice([-1, 1])
        patches.append(_consolidation(rng, body, side))
        if rng.random() < 0.3:
            patches.append(_consolidation(rng, body, side if rng.random() < 0.7 else -side))
    elif finding == "covid19":
        for side in (-1, 1):
            patches += [_ground_glass(rng, body, side) for _ in range(rng.integers(2, 5))]
    total = np.zeros(grid.shape, dtype=np.float32)
    if not patches:
        return total
    border = smooth_noise(rng, grid.shape, 14)
    texture = smooth_noise(rng, grid.shape, 48)
    focal = finding == "lung_opacity"
    for u, v, radius, strength in patches:
        r = ellipse(grid, (u, v), (radius, radius * rng.uniform(0.8, 1.5)), rng.uniform(0, np.pi))
        patch = ramp(1 - r + np.float32(0.22) * border, 0.5 if focal else 0.9)
        patch = patch * np.float32(strength) * (1 + np.float32(0.12 if focal else 0.30) * texture)
        total = np.maximum(total, patch)
    return total


def _consolidation(rng: np.random.Generator, body: Anatomy, side: int) -> tuple[float, float, float, float]:
    """Draw one dense patch anywhere in a lung: u, v, radius, strength."""
    v = rng.uniform(body.apex + 0.16, body.dome[0] - 0.06)
    return side * rng.uniform(0.13, 0.27), v, rng.uniform(0.075, 0.14), rng.uniform(0.16, 0.42)


def _ground_glass(rng: np.random.Generator, body: Anatomy, side: int) -> tuple[float, float, float, float]:
    """Draw one faint patch near the chest wall and the base: u, v, radius, strength."""
    v = body.dome[0] + 0.03 - rng.gamma(2.0, 0.07)
    u = side * body.chest_width * rng.uniform(0.62, 0.92)
    return u, max(v, body.apex + 0.2), rng.uniform(0.05, 0.095), rng.uniform(0.10, 0.26)


def _lines(rng: np.random.Generator, grid: Grid) -> Array:
    """Return the shadow of a tube or of monitoring leads, which any patient may carry."""
    lines: Strokes = []
    for _ in range(rng.integers(1, 4)):
        top, bottom = rng.uniform(-0.3, 0.3, 2)
        bend = rng.uniform(-0.15, 0.15)
        heights = np.linspace(0, rng.uniform(0.4, 1.0), 16)
        across = top + (bottom - top) * heights + bend * np.sin(heights * 5)
        lines.append(([(float(u), float(v)) for u, v in zip(across, heights, strict=True)], 0.006))
    return strokes(grid, lines, 0.7) * np.float32(rng.uniform(0.15, 0.3))


def _finish(rng: np.random.Generator, film: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Add the side marker, and the black borders of a collimated field."""
    height, width = film.shape
    if rng.random() < 0.35:
        top, left = (rng.uniform(0, 0.05, 2) * (height, width)).astype(int)
        bottom, right = (rng.uniform(0, 0.05, 2) * (height, width)).astype(int)
        framed = np.zeros_like(film)
        framed[top : height - bottom, left : width - right] = film[
            top : height - bottom, left : width - right
        ]
        film = framed
    if rng.random() < 0.7:
        letter = str(rng.choice(["L", "R"]))
        x = width * (rng.uniform(0.86, 0.92) if letter == "L" else rng.uniform(0.03, 0.08))
        picture = Image.fromarray(film)
        draw = ImageDraw.Draw(picture)
        draw.text(
            (x, height * rng.uniform(0.04, 0.12)), letter, fill=int(rng.integers(200, 256)), font=font(16)
        )
        film = np.asarray(picture)
    return film
