"""Headers of JPEG 2000 codestreams, checked before a decoder reserves memory for what they claim.

A header of some hundred bytes can claim tens of thousands of tiles, or millions of code-blocks, for
each of which a decoder reserves memory first: 600 MB and more for 3 kB. Encoders of radiographs write
one tile, or some hundred, and code-blocks of 64 x 64. Markers are those of ITU-T T.800, annex A.
"""

import struct
from math import ceil

from hilum.decoding.refusals import DECOMPRESS_DICOM, CorruptFileError, UnsupportedFormatError

_SOC, _SIZ, _COD, _SOT, _SOD, _EOC = 0xFF4F, 0xFF51, 0xFF52, 0xFF90, 0xFF93, 0xFFD9
_HARMLESS = {0xFF5C, 0xFF5D, 0xFF55, 0xFF57, 0xFF58, 0xFF63, 0xFF64}
"""Quantisation, lengths, registration, comments; what changes coding for a component or a tile is refused."""

_MAX_TILES = 1024
_MAX_TILE_PARTS = 8192
_MAX_LAYERS = 100
_MAX_SEGMENTS = 300
"""Most segments of one header: lengths of packets may take 256 of them."""
_MAX_PARTS = 200_000
"""Most precincts and code-blocks together: some 300 bytes each; 64 x 64 blocks of `MAX_PIXELS` are 13,000."""

_UNUSUAL = "a DICOM in an unusual variant of JPEG 2000"


def check_jpeg2000(codestream: bytes, width: int, height: int) -> None:
    """Refuse a codestream of another size than `width` x `height`, or one that would cost far more than it.

    Raises:
        CorruptFileError: the size differs, or tiles, layers or code-blocks are absurd.
        UnsupportedFormatError: it is coded in a way that radiographs are not.
        struct.error: it is cut short.
    """
    (start,) = struct.unpack_from(">H", codestream)
    if start != _SOC:
        raise CorruptFileError("DICOM")
    position, segments = _read_segments(codestream, 2, {_SIZ, _COD}, until=_SOT)
    _check_tiles(codestream, segments[_SIZ], width, height)
    _check_coding(codestream, segments[_COD], width, height)
    for _ in range(_MAX_TILE_PARTS):
        marker, _, _, length = struct.unpack_from(">HHHL", codestream, position)
        if marker != _SOT:
            raise CorruptFileError("DICOM")
        coded, _ = _read_segments(codestream, position + 12, set(), until=_SOD)
        if length == 0:  # the last tile-part, as long as the codestream
            return
        if position + length < coded:
            raise CorruptFileError("DICOM")
        position += length
        if codestream[position : position + 2] == struct.pack(">H", _EOC):
            return
    raise CorruptFileError("DICOM", "it is cut into too many tiles")


def _read_segments(
    codestream: bytes, position: int, wanted: set[int], *, until: int
) -> tuple[int, dict[int, int]]:
    """Return where the marker `until` is, and where the values of the segments before it begin."""
    found: dict[int, int] = {}
    for _ in range(_MAX_SEGMENTS):
        (marker,) = struct.unpack_from(">H", codestream, position)
        if marker == until:
            return position, found
        if marker not in wanted | _HARMLESS or marker in found:
            raise UnsupportedFormatError(_UNUSUAL, DECOMPRESS_DICOM)
        (length,) = struct.unpack_from(">H", codestream, position + 2)
        if marker in wanted:
            found[marker] = position + 4
        position += 2 + length
    raise CorruptFileError("DICOM", "its header has too many parts")


def _check_tiles(codestream: bytes, start: int, width: int, height: int) -> None:
    """Refuse another size, more than one component, and more than `_MAX_TILES` tiles."""
    right, bottom, left, top, tile_width, tile_height, tiles_left, tiles_top, components = struct.unpack_from(
        ">8LH", codestream, start + 2
    )
    if (right - left, bottom - top) != (width, height):
        raise CorruptFileError("DICOM", "its compressed picture has another size than its header says")
    _, *subsampling = struct.unpack_from(">3B", codestream, start + 36)
    if components != 1 or subsampling != [1, 1]:
        raise UnsupportedFormatError(_UNUSUAL, DECOMPRESS_DICOM)
    tiles = ceil((right - tiles_left) / tile_width) * ceil((bottom - tiles_top) / tile_height)
    if tiles > _MAX_TILES:
        raise CorruptFileError("DICOM", "it is cut into too many tiles")


def _check_coding(codestream: bytes, start: int, width: int, height: int) -> None:
    """Refuse too many layers, precincts and code-blocks: the rectangles that a decoder keeps account of."""
    style, _, layers, _, levels, *exponents = struct.unpack_from(">BBHBBBB", codestream, start)
    if layers > _MAX_LAYERS:
        raise UnsupportedFormatError(_UNUSUAL, DECOMPRESS_DICOM)
    parts = 0
    for level in range(levels + 1):
        shrunk = [ceil(side / 2 ** (levels - level)) for side in (width, height)]
        precinct = [15, 15]
        if style & 1:
            both = codestream[start + 10 + level]
            precinct = [both & 15, both >> 4]
        # A code-block ends where its precinct does, and a sub-band has half the precinct's side.
        block = [min(own + 2, most - (level > 0)) for own, most in zip(exponents, precinct, strict=True)]
        parts += ceil(shrunk[0] / 2 ** precinct[0]) * ceil(shrunk[1] / 2 ** precinct[1])
        parts += ceil(shrunk[0] / 2 ** block[0]) * ceil(shrunk[1] / 2 ** block[1])
    if parts > _MAX_PARTS:
        raise UnsupportedFormatError(_UNUSUAL, DECOMPRESS_DICOM)
