"""Reduced picture files to 8-bit gray, by Pillow."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import BmpImagePlugin, Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from hilum.contract import RADIOGRAPH_SIZE_PX
from hilum.decoding.containers import Container
from hilum.decoding.gray_levels import stretch
from hilum.decoding.refusals import CorruptFileError, UnsupportedFormatError, check_compression, check_size

_PLUGINS = (BmpImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin)
"""Imported by name: asked for any other format, Pillow would import all of its plugins."""

_DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "F")
"""Pillow's modes of more than 8 bits: integers and floats."""

_PHOTOMETRIC = TiffImagePlugin.PHOTOMETRIC_INTERPRETATION

_JPEG_OVERSAMPLING = 2
"""A JPEG is decoded at no less than twice the size wanted, so that the last, better filter decides."""

_MIN_LEVELS = 64
"""Fewest levels that a colour picture of 16 bits must have left in its upper 8 bits."""

_BROKEN_JPEG_GRAY = 128
"""What libjpeg shows where a scan ended too early."""


@dataclass(frozen=True, slots=True)
class GrayPicture:
    """An 8-bit gray picture, still at about its own size."""

    image: Image.Image
    """Mode L; smaller than `width` x `height` where scaled decoding was possible."""
    width: int
    """Width of the whole picture in pixels, as stored."""
    height: int
    """Height of the whole picture in pixels, as stored."""
    orientation: int = 1
    """How to turn it upright, as EXIF numbers it: 1 to 8."""


def decode_picture(container: Container) -> GrayPicture:
    """Decode a reduced picture file to 8-bit gray.

    Raises:
        RadiographError: too many pixels, too small, a variant that is not decoded, or broken.
        Exception: whatever Pillow raises on broken files.
    """
    check_size(container.width, container.height)
    check_compression(container.kind, container.width, container.height, len(container.data))
    with Image.open(BytesIO(container.data), formats=(container.kind,)) as image:
        if image.size != (container.width, container.height):
            raise CorruptFileError(container.kind)
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            image.draft("L", _draft_size(container))
        is_deep_colour = image.mode not in _DEEP_MODES and _has_16_bit_samples(image)
        image.load()
        if image.mode in _DEEP_MODES:
            gray = _own_range(image)
        elif is_deep_colour:
            gray = _deep_colour(image)
        else:
            gray = image.convert("L")
    if container.kind == "JPEG":
        _check_last_row(gray)
    return GrayPicture(gray, container.width, container.height, container.orientation)


def _draft_size(container: Container) -> tuple[int, int]:
    """Return the least size, in pixels, at which a JPEG is worth decoding."""
    scale = _JPEG_OVERSAMPLING * RADIOGRAPH_SIZE_PX / max(container.width, container.height)
    return max(1, round(container.width * scale)), max(1, round(container.height * scale))


def _has_16_bit_samples(image: Image.Image) -> bool:
    """Say whether the file holds 16 bits per sample, of which Pillow keeps 8 in colour pictures."""
    return any(";16" in str(tile.args) for tile in getattr(image, "tile", ()))


def _own_range(image: Image.Image) -> Image.Image:
    """Scale a picture of more than 8 bits from its own range, white up."""
    gray = stretch(np.asarray(image))
    # Pillow turns TIFFs in which white is zero round, but only those of 8 bits.
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC, 0) == 0:
        gray = np.invert(gray)
    return Image.fromarray(gray)


def _deep_colour(image: Image.Image) -> Image.Image:
    """Scale what Pillow keeps of a 16-bit colour picture, its upper 8 bits, from its own range."""
    gray = np.asarray(image.convert("L"))
    if int(gray.max()) - int(gray.min()) < _MIN_LEVELS:
        raise UnsupportedFormatError(
            "a 16-bit picture in colour or with transparency, in a small part of its range",
            "Save it as 16-bit gray PNG.",
        )
    return Image.fromarray(stretch(gray))


def _check_last_row(gray: Image.Image) -> None:
    """Refuse a JPEG that ends in the flat gray with which libjpeg, unasked, fills what is missing.

    A cut in the middle leaves the end mark in place, and Pillow passes on no warning of libjpeg's.
    """
    last_row = gray.crop((0, gray.height - 1, gray.width, gray.height))
    if last_row.getextrema() == (_BROKEN_JPEG_GRAY, _BROKEN_JPEG_GRAY) != gray.getextrema():
        raise CorruptFileError("JPEG", "its lower part is missing: it was damaged on its way")
