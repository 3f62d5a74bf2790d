"""TIFF files, reduced to one page and to the tags that its pixels need."""

import struct
from math import ceil

from hilum.decoding.containers import Container
from hilum.decoding.ifd import ORIENTATION, Directory, read_directory, valid_orientation
from hilum.decoding.refusals import CorruptFileError, MultiFrameError, UnsupportedFormatError

_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC = 256, 257, 259, 262
_STRIP_OFFSETS, _ROWS_PER_STRIP, _STRIP_BYTES = 273, 278, 279
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES = 322, 323, 324, 325
_BITS, _FILL_ORDER, _SAMPLES, _PLANAR, _PREDICTOR, _PALETTE = 258, 266, 277, 284, 317, 320
_EXTRA_SAMPLES, _SAMPLE_FORMAT = 338, 339

_PIXEL_TAGS = {
    *(_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, _STRIP_OFFSETS, _ROWS_PER_STRIP, _STRIP_BYTES),
    *(_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES, _BITS, _FILL_ORDER, _SAMPLES, _PLANAR),
    *(_PREDICTOR, _PALETTE, _EXTRA_SAMPLES, _SAMPLE_FORMAT),
}

_COMPRESSIONS = {1, 5, 8, 32773, 32946}
"""None, LZW, deflate, PackBits, deflate under its older number."""

_PHOTOMETRICS = {0, 1, 2, 3, 5}
"""White is zero, black is zero, RGB, palette, CMYK."""

_MAX_SAMPLES = 6
"""Most samples per pixel that Pillow decodes; each may have strips or tiles of its own."""

_MIN_TILE_PX = 16
"""Shortest side of a tile, by the standard."""

_PALETTE_VALUES = 3 * 256

_MAX_TILE_PX = 1024
"""Longest side of a tile that is larger than its picture."""


def read_tiff(data: bytes) -> Container:
    """Return a TIFF whose directory has nothing but the tags that describe pixels."""
    directory = read_directory(data, {*_PIXEL_TAGS, ORIENTATION})
    if directory.next_start:
        raise MultiFrameError("TIFF")
    width, height = _number(directory, data, _WIDTH), _number(directory, data, _HEIGHT)
    _check_layout(directory, data, width, height)
    orientation = valid_orientation(directory.numbers(data, ORIENTATION))
    return Container("TIFF", _with_pixel_tags_only(directory, data), width, height, orientation)


def _number(directory: Directory, data: bytes, tag: int, default: int = 0) -> int:
    """Return the first value of a tag."""
    return (directory.numbers(data, tag) or (default,))[0]


def _check_layout(directory: Directory, data: bytes, width: int, height: int) -> None:
    """Refuse what cannot be decoded, and what would cost more than the picture's own size."""
    if _number(directory, data, _COMPRESSION, 1) not in _COMPRESSIONS:
        raise UnsupportedFormatError("a TIFF compressed otherwise than by LZW, deflate or PackBits")
    if _number(directory, data, _PHOTOMETRIC) not in _PHOTOMETRICS:
        raise UnsupportedFormatError("a TIFF in a colour space other than gray, RGB, palette or CMYK")
    most = _MAX_SAMPLES * max(height, ceil(width / _MIN_TILE_PX) * ceil(height / _MIN_TILE_PX))
    if any(entry.count > max(most, _PALETTE_VALUES) for entry in directory.entries.values()):
        raise CorruptFileError("TIFF", "it is cut into too many strips")
    if _number(directory, data, _TILE_WIDTH) > max(width, _MAX_TILE_PX) or (
        _number(directory, data, _TILE_HEIGHT) > max(height, _MAX_TILE_PX)
    ):
        raise CorruptFileError("TIFF", "its tiles are larger than its picture")


def _with_pixel_tags_only(directory: Directory, data: bytes) -> bytes:
    """Return the file with its directory rewritten, in place, as the last and with fewer entries."""
    kept = {tag: entry.raw for tag, entry in directory.entries.items() if tag in _PIXEL_TAGS}
    if _EXTRA_SAMPLES in kept:
        # Declared to be of no known meaning, transparency is dropped and the colours are used as they are.
        kept[_EXTRA_SAMPLES] = kept[_EXTRA_SAMPLES][:8] + bytes(4)
    entries = list(kept.values())
    count = struct.pack(f"{directory.byte_order}H", len(entries))
    rewritten = b"".join([count, *entries, b"\0\0\0\0"])
    return data[: directory.start] + rewritten + data[directory.start + len(rewritten) :]
