"""Pictures of a radiograph under a heat map: the same colours wherever a prediction is explained."""

from textwrap import wrap

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

OVERLAY_SIZE_PX = 512
"""Longer side of an overlay, twice the canonical radiograph's."""

STRONGEST_OPACITY = 0.6
"""Opacity of the colour where the evidence is strongest; where there is none, the radiograph is bare."""

WEAK, MIDDLE, STRONG = "#0d0887", "#cc4778", "#f0f921"
"""Three stops of the plasma scale, which colour-blind readers can order too."""

FONT_SIZE_PX = 13
LINE_HEIGHT_PX = 17
CHARACTER_WIDTH_PX = 512 / 76
"""Width to allow for a character of that font, so that no line is cut off."""


def draw_overlay(
    radiograph: NDArray[np.uint8], activation_map: NDArray[np.float32], *, size_px: int = OVERLAY_SIZE_PX
) -> Image.Image:
    """Return the radiograph in gray, coloured where the activation map is positive.

    The map is clipped at 0, divided by its maximum and enlarged bilinearly, so colours compare
    places in one image and not one image with another.

    Args:
        radiograph: (H, W) uint8.
        activation_map: (h, w) float32 of one label, over the same field.
        size_px: longer side of the result.

    Returns:
        An RGB image of the radiograph's proportions.
    """
    height, width = radiograph.shape
    size = round(size_px * width / max(height, width)), round(size_px * height / max(height, width))
    evidence = np.maximum(activation_map.astype(np.float32), 0)
    evidence /= max(float(evidence.max()), np.finfo(np.float32).tiny)
    enlarged = np.asarray(Image.fromarray(evidence).resize(size, Image.Resampling.BILINEAR))
    shades = Image.fromarray((enlarged * 255).round().astype(np.uint8))
    colour = ImageOps.colorize(shades, WEAK, STRONG, mid=MIDDLE)
    opacity = Image.fromarray((enlarged * 255 * STRONGEST_OPACITY).round().astype(np.uint8))
    gray = Image.fromarray(radiograph).resize(size, Image.Resampling.BILINEAR).convert("RGB")
    return Image.composite(colour, gray, opacity)


def with_lines(image: Image.Image, lines: list[str]) -> Image.Image:
    """Return `image` with lines of text, wrapped to its width, on a black strip under it."""
    characters = int(image.width / CHARACTER_WIDTH_PX)
    rows = [row for line in lines for row in wrap(line, characters)]
    margin = LINE_HEIGHT_PX // 2
    page = Image.new("RGB", (image.width, image.height + LINE_HEIGHT_PX * len(rows) + 2 * margin))
    page.paste(image)
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(FONT_SIZE_PX)
    for index, row in enumerate(rows):
        draw.text((margin, image.height + margin + index * LINE_HEIGHT_PX), row, fill="white", font=font)
    return page
