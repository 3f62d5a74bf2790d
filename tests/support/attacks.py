"""Files that would cost a careless decoder time and memory: far more than their own size."""

import struct
import zlib
from collections.abc import Callable

import numpy as np
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from tests.support.image_files import (
    compressed_dicom,
    dicom_file,
    drawn_picture,
    encoded,
    png_chunk,
    png_file,
)

MEBIBYTE = 2**20
COUNT = MEBIBYTE
"""How often a small part is repeated: files of some 8 MiB."""

PICTURE = drawn_picture()
JPEG = encoded(PICTURE, "JPEG")
PIXELS = png_chunk(b"IDAT", zlib.compress(bytes(65 * 64)))
ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, 0)
END_OF_FRAGMENTS = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
OPEN_ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
IMPLICIT, EXPLICIT = b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.1\0"
DEFLATED, JPEG_SYNTAX = b"1.2.840.10008.1.2.1.99\0\0", b"1.2.840.10008.1.2.4.50"


def element(tag: int, vr: bytes, value: bytes, *, endless: bool = False) -> bytes:
    """Return one explicit element."""
    long = vr in (b"OB", b"OW", b"SQ", b"UN")
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    if long:
        return head + struct.pack("<HL", 0, 0xFFFFFFFF if endless else len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def dicom(syntax: bytes, *elements: bytes) -> bytes:
    """Return a DICOM with only a transfer syntax before these elements."""
    return bytes(128) + b"DICM" + element(0x00020010, b"UI", syntax) + b"".join(elements)


def implicit(group: int, number: int, value: bytes) -> bytes:
    """Return one implicit element."""
    return struct.pack("<HHL", group, number, len(value)) + value


def with_sequence(value: bytes, *, endless: bool = False) -> bytes:
    """Return a valid DICOM with a VOI LUT sequence of these bytes."""
    whole = dicom_file(PICTURE)
    pixels = whole.index(b"\xe0\x7f\x10\x00")
    return whole[:pixels] + element(0x00283010, b"SQ", value, endless=endless) + whole[pixels:]


def tiff(*entries: tuple[int, int, int, int], after: bytes = b"") -> bytes:
    """Return a TIFF whose directory has these (tag, type, count, value) entries."""
    packed = b"".join(struct.pack("<HHLL", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed + bytes(4) + after


def jpeg_of_many_scans() -> bytes:
    """Return a progressive JPEG of 36 million pixels with its last scan repeated."""
    whole = encoded(np.zeros((6000, 6000), np.uint8), "JPEG", progressive=True)
    scan = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + scan * 20_000 + b"\xff\xd9"


def run_lengths() -> bytes:
    """Return an RLE frame that unpacks to 128 times its size."""
    segment = b"\x81\0" * COUNT
    return struct.pack("<16L", 1, 64, *[0] * 14) + segment


def jpeg2000_of_many_tiles() -> bytes:
    """Return the start of a codestream of 62,500 tiles."""
    return encoded(np.zeros((2000, 2000), np.uint8), "JPEG2000", no_jp2=True, tile_size=(8, 8))[:60_000]


ATTACKS: dict[str, Callable[[], bytes]] = {
    "jpeg of empty segments": lambda: b"\xff\xd8" + b"\xff\xe1\0\2" * (2 * COUNT),
    "jpeg of fill bytes": lambda: b"\xff\xd8" + b"\xff" * (8 * COUNT),
    "jpeg of tables": lambda: JPEG[:2] + (b"\xff\xdb\0\x43\0" + bytes(range(1, 65))) * 90_000 + JPEG[2:],
    "jpeg of exif": lambda: JPEG[:2] + (b"\xff\xe1\xff\xffExif\0\0" + bytes(65527)) * 127 + JPEG[2:],
    "jpeg of scans": jpeg_of_many_scans,
    "png of empty chunks": lambda: png_file(64, 64, png_chunk(b"tEXt", b"") * 700_000),
    "png of packed text": lambda: png_file(
        64, 64, png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(MEBIBYTE - 10))) * 60, PIXELS
    ),
    "png of packed pixels": lambda: png_file(
        64, 64, png_chunk(b"IDAT", zlib.compress(bytes(256 * MEBIBYTE)))
    ),
    "png that claims 36 million": lambda: png_file(6000, 6000, png_chunk(b"IDAT", zlib.compress(bytes(99)))),
    "tiff of strips": lambda: tiff(
        (256, 4, 1, 64), (257, 4, 1, 64), (273, 4, COUNT, 50), after=bytes(4 * COUNT)
    ),
    "tiff of shared values": lambda: tiff(
        *[(256, 4, 1, 64), (257, 4, 1, 64), *((tag, 7, 7 * COUNT, 0) for tag in range(1000, 60_000))],
        after=bytes(7 * COUNT),
    ),
    "tiff of one vast tile": lambda: tiff(
        *[(256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1)],
        *[(322, 4, 1, 20_000), (323, 4, 1, 20_000), (324, 4, 1, 122), (325, 4, 1, 260_000)],
        after=zlib.compress(bytes(256 * MEBIBYTE)),
    ),
    "webp that claims 268 million": lambda: (
        b"RIFF\x16\0\0\0WEBPVP8 \x0a\0\0\0\x10\0\0\x9d\x01\x2a\xff\x3f\xff\x3f"
    ),
    "webp that claims 36 million": lambda: (
        b"RIFF\x16\0\0\0WEBPVP8 \x0a\0\0\0\x10\0\0\x9d\x01\x2a\x70\x17\x70\x17"
    ),
    "dicom deflated": lambda: dicom(DEFLATED, zlib.compress(bytes(256 * MEBIBYTE))[2:-4]),
    "dicom deflated in its second syntax": lambda: dicom(
        EXPLICIT, element(0x00020010, b"UI", DEFLATED), zlib.compress(bytes(256 * MEBIBYTE))[2:-4]
    ),
    "dicom of elements": lambda: dicom(EXPLICIT, element(0x00080050, b"SH", b"") * COUNT),
    "dicom of file elements": lambda: dicom(EXPLICIT, element(0x00020010, b"UI", EXPLICIT) * (COUNT // 4)),
    "dicom of elements in a sequence": lambda: dicom(
        EXPLICIT,
        element(0x00081140, b"SQ", OPEN_ITEM + element(0x00080050, b"SH", b"") * COUNT, endless=True),
    ),
    "dicom of nested sequences": lambda: dicom(
        EXPLICIT, element(0x00081140, b"SQ", OPEN_ITEM, endless=True) * (COUNT // 4)
    ),
    "dicom of character sets": lambda: dicom(IMPLICIT, implicit(8, 5, b"a\\" * (4 * COUNT))),
    "dicom of nested character sets": lambda: dicom(
        EXPLICIT,
        element(
            0x00081140, b"SQ", OPEN_ITEM + element(0x00080005, b"CS", b"a\\" * 30_000) * 64, endless=True
        ),
    ),
    "dicom of windows": lambda: dicom(IMPLICIT, implicit(0x28, 0x1050, b"1\\" * (4 * COUNT))),
    "dicom of table items": lambda: with_sequence(ITEM * COUNT),
    "dicom of open table items": lambda: with_sequence(ITEM * COUNT, endless=True),
    "dicom of a long table": lambda: with_sequence(
        OPEN_ITEM
        + element(0x00283002, b"US", struct.pack("<HHH", 0, 0, 16))
        + element(0x00283006, b"OW", bytes(8 * COUNT))
        + struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0),
        endless=True,
    ),
    "dicom of fragments": lambda: compressed_dicom(PICTURE, JPEGBaseline8Bit).replace(
        END_OF_FRAGMENTS, ITEM * COUNT + END_OF_FRAGMENTS
    ),
    "dicom of run lengths": lambda: compressed_dicom(PICTURE, JPEGBaseline8Bit, run_lengths()).replace(
        JPEG_SYNTAX, RLELossless.encode().ljust(len(JPEG_SYNTAX), b"\0")
    ),
    "dicom of a larger jpeg": lambda: compressed_dicom(
        PICTURE, JPEGBaseline8Bit, encoded(np.zeros((6000, 6000), np.uint8), "JPEG")
    ),
    "dicom of jpeg 2000 tiles": lambda: compressed_dicom(
        np.zeros((2000, 2000), np.uint8), JPEG2000Lossless, jpeg2000_of_many_tiles()
    ),
}
"""Builders, by what the file is made of."""
