"""Heat maps as pictures: one overlay per radiograph, and a contact sheet per class."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from hilum.contract import NOTICE
from hilum.overlay import draw_overlay, with_lines

OUTLINE = "#00e5ff"
"""Colour of the region whose covering flips the decision; not on the heat map's scale."""

_COLUMNS = 4
_TILE_PX = 190
_GAP_PX = 8
_PAIR_GAP_PX = 2


def overlay_picture(
    radiograph: NDArray[np.uint8],
    heat_map: NDArray[np.float32],
    *,
    outlined: NDArray[np.bool_] | None = None,
    size_px: int,
) -> Image.Image:
    """Return a radiograph under its heat map.

    Args:
        radiograph: (H, W) uint8.
        heat_map: (h, w), over the same field; only positive values are coloured.
        outlined: (H, W), a region to draw the outline of; None draws none.
        size_px: longer side of the result.
    """
    picture = draw_overlay(radiograph, heat_map, size_px=size_px)
    if outlined is not None:
        region = Image.fromarray(outlined).convert("L").resize(picture.size)
        inner = region.filter(ImageFilter.MinFilter(5))
        line = Image.fromarray((np.asarray(region) > 127) & (np.asarray(inner) <= 127))
        picture.paste(OUTLINE, mask=line)
    return picture


def contact_sheet(
    title: str,
    radiographs: Sequence[NDArray[np.uint8]],
    overlays: Sequence[Image.Image],
    captions: Sequence[str],
) -> Image.Image:
    """Return all images of a class on one page, each beside its overlay, captioned, with the notice below."""
    tiles = [
        _tile(radiograph, overlay, caption)
        for radiograph, overlay, caption in zip(radiographs, overlays, captions, strict=True)
    ]
    columns = min(_COLUMNS, len(tiles))
    rows = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    heights = [max(tile.height for tile in row) + _GAP_PX for row in rows]
    page = Image.new("RGB", (columns * (tiles[0].width + _GAP_PX), sum(heights)))
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            page.paste(tile, (column * (tile.width + _GAP_PX), top))
        top += height
    return with_lines(page, [title, NOTICE])


def as_png(picture: Image.Image) -> bytes:
    """Return a picture as the bytes of a PNG file."""
    content = BytesIO()
    picture.save(content, "PNG", optimize=True)
    return content.getvalue()


def _tile(radiograph: NDArray[np.uint8], overlay: Image.Image, caption: str) -> Image.Image:
    """Return the bare radiograph and its overlay side by side over a caption."""
    scale = _TILE_PX / max(overlay.size)
    size = round(overlay.width * scale), round(overlay.height * scale)
    tile = Image.new("RGB", (2 * size[0] + _PAIR_GAP_PX, size[1]))
    tile.paste(Image.fromarray(radiograph).resize(size, Image.Resampling.BILINEAR))
    tile.paste(overlay.resize(size, Image.Resampling.BILINEAR), (size[0] + _PAIR_GAP_PX, 0))
    return with_lines(tile, [caption])
