"""Overlays that show where on the radiograph the evidence for the reported finding lies."""

import io
import re
from pathlib import Path
from textwrap import wrap

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from clients.results import Screening
from hilum.contract import LABELS, NOTICE
from hilum.files import write_atomic
from hilum.radiograph import decode_radiograph

OVERLAY_SIZE_PX = 512
"""Side of the overlay, twice the canonical radiograph's."""

STRONGEST_OPACITY = 0.6
"""Opacity of the colour where the evidence is strongest; where there is none, the radiograph is bare."""

WEAK, MIDDLE, STRONG = "#0d0887", "#cc4778", "#f0f921"
"""Three stops of the plasma scale, which colour-blind readers can order too."""

FONT_SIZE_PX = 13
LINE_HEIGHT_PX = 17
CHARACTERS_PER_LINE = 76


class HeatmapFolder:
    """Gives each screened file an overlay's path of its own inside one folder."""

    def __init__(self, folder: Path) -> None:
        """Make `folder` if it is not there.

        Raises:
            OSError: it cannot be made.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._taken: set[str] = set()

    def reserve(self, path: Path) -> Path:
        """Return a path inside the folder that no earlier file was given, named after the file's stem."""
        stem = _safe_name(path.stem)
        name, copies = stem, 1
        while name.casefold() in self._taken:
            copies += 1
            name = f"{stem}-{copies}"
        self._taken.add(name.casefold())
        return self._folder / f"{name}.heatmap.png"


def write_heatmap(path: Path, image: bytes, screening: Screening) -> None:
    """Write the overlay of an accepted image's finding as PNG, with a caption and the notice under it.

    Raises:
        RadiographError: `image` cannot be decoded here.
        OSError: the disk is full or read-only; nothing is left behind.
    """
    assert screening.finding is not None, "a rejected image has no activation map"
    assert screening.probabilities is not None
    assert screening.activation_map is not None
    overlay = draw_overlay(
        decode_radiograph(image)[0], screening.activation_map[LABELS.index(screening.finding)]
    )
    caption = (
        f"Evidence for {screening.finding}, probability {screening.probabilities[screening.finding]:.2f}, "
        f"release {screening.release}"
    )
    content = io.BytesIO()
    _with_lines(overlay, [caption, *wrap(NOTICE, CHARACTERS_PER_LINE)]).save(content, "PNG")
    write_atomic(path, content.getvalue())


def draw_overlay(radiograph: NDArray[np.uint8], activation_map: NDArray[np.float32]) -> Image.Image:
    """Return the radiograph in gray, coloured where the activation map is positive.

    The map is clipped at 0, divided by its maximum and enlarged bilinearly, so colours compare
    places in one image and not one image with another.

    Args:
        radiograph: (256, 256) uint8, the canonical radiograph.
        activation_map: (h, w) float32 of one label.

    Returns:
        An RGB image of `OVERLAY_SIZE_PX` a side.
    """
    size = (OVERLAY_SIZE_PX, OVERLAY_SIZE_PX)
    evidence = np.maximum(activation_map.astype(np.float32), 0)
    evidence /= max(float(evidence.max()), np.finfo(np.float32).tiny)
    enlarged = np.asarray(Image.fromarray(evidence).resize(size, Image.Resampling.BILINEAR))
    shades = Image.fromarray((enlarged * 255).round().astype(np.uint8))
    colour = ImageOps.colorize(shades, WEAK, STRONG, mid=MIDDLE)
    opacity = Image.fromarray((enlarged * 255 * STRONGEST_OPACITY).round().astype(np.uint8))
    gray = Image.fromarray(radiograph).resize(size, Image.Resampling.BILINEAR).convert("RGB")
    return Image.composite(colour, gray, opacity)


def _with_lines(image: Image.Image, lines: list[str]) -> Image.Image:
    """Return `image` with lines of text on a black strip under it."""
    margin = LINE_HEIGHT_PX // 2
    page = Image.new("RGB", (image.width, image.height + LINE_HEIGHT_PX * len(lines) + 2 * margin))
    page.paste(image)
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(FONT_SIZE_PX)
    for row, line in enumerate(lines):
        draw.text((margin, image.height + margin + row * LINE_HEIGHT_PX), line, fill="white", font=font)
    return page


def _safe_name(stem: str) -> str:
    """Return a file name of letters, digits, `.`, `_` and `-` that every file system takes."""
    name = re.sub(r"[^\w.-]", "_", stem).lstrip(".")
    return name.encode()[:120].decode(errors="ignore") or "image"
