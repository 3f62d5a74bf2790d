"""Picture files, reduced to what their pixels need, with the size that their headers claim.

Each reader walks a file's structure without decoding a pixel, in time and memory that follow the
file's length, checks what can be checked (checksums, an end mark, a single picture), and leaves out
everything else: text, profiles, thumbnails, second pictures, appended files. What a decoder never
sees can neither exhaust it nor leak out of it.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from hilum.decoding.ifd import exif_orientation
from hilum.decoding.refusals import CorruptFileError, MultiFrameError, NoPixelsError, UnsupportedFormatError

_MAX_CHUNKS = 100_000
"""Most parts that a file may be cut into: far above what encoders write for 64 MiB."""


@dataclass(frozen=True, slots=True)
class Container:
    """A picture file that holds nothing but one picture."""

    kind: str
    """Pillow's name of the format."""
    data: bytes
    """The reduced file."""
    width: int
    """Claimed width in pixels, as stored."""
    height: int
    """Claimed height in pixels, as stored."""
    orientation: int = 1
    """How to turn the stored picture upright, as EXIF numbers it: 1 to 8."""


def read_png(data: bytes) -> Container:
    """Return the header, palette and pixel chunks of a PNG; every checksum is verified."""
    kept = [memoryview(data)[:8]]
    names = []
    exif = b""
    for name, chunk in _png_chunks(data):
        names.append(name)
        if name in (b"IHDR", b"PLTE", b"IDAT", b"IEND"):
            kept.append(chunk)
        elif name == b"acTL":
            raise MultiFrameError("PNG")
        elif name == b"eXIf":
            exif = exif or bytes(chunk[8:-4])
    if names[0] != b"IHDR" or names.count(b"IHDR") > 1:
        raise CorruptFileError("PNG")
    if b"IDAT" not in names:
        raise NoPixelsError("PNG")
    width, height = struct.unpack_from(">LL", data, 16)
    return Container("PNG", b"".join(kept), width, height, exif_orientation(exif))


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the name and the whole of each chunk up to IEND."""
    view = memoryview(data)
    position = 8
    for _ in range(_MAX_CHUNKS):
        length, name = struct.unpack_from(">L4s", data, position)
        chunk = view[position : position + 12 + length]
        if len(chunk) < 12 + length:
            raise CorruptFileError("PNG", "its end is missing: it was cut short")
        if zlib.crc32(chunk[4:-4]) != struct.unpack(">L", chunk[-4:])[0]:
            raise CorruptFileError("PNG", "a checksum is wrong: it was changed on its way")
        yield name, chunk
        if name == b"IEND":
            return
        position += len(chunk)
    raise CorruptFileError("PNG", "it is cut into too many chunks")


_EOI, _SOS, _EXIF = 0xD9, 0xDA, 0xE1
_FRAMES = {0xC0, 0xC1, 0xC2}
"""Baseline, extended and progressive frames, Huffman-coded: what radiographs come as."""
_OTHER_FRAMES = set(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}
_TABLES = {0xDB, 0xC4, 0xDD, 0xE0, 0xEE}
"""Tables, restart interval, and the two application segments that say how colours are stored."""

_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
"""A marker of a segment; in a scan 0xff is followed by 0 or by the number of a restart."""

_MAX_SCANS = 32
"""Most scans of a JPEG: encoders write about ten, and each costs a pass over all pixels."""

_MAX_TABLE_BYTES = 2**20
"""Most bytes of tables: encoders write some thousand."""


def read_jpeg(data: bytes) -> Container:
    """Return the tables and scans of a JPEG, up to its end mark."""
    kept = [memoryview(data)[:2]]
    scans = table_bytes = 0
    exif = b""
    frame: memoryview | None = None
    for marker, segment in _jpeg_segments(data):
        if marker in _OTHER_FRAMES:
            raise UnsupportedFormatError("a lossless, hierarchical or arithmetic-coded JPEG")
        if marker in _FRAMES:
            if frame is not None:
                raise CorruptFileError("JPEG")
            frame = segment
        if marker == _SOS:
            scans += 1
        elif marker in _TABLES:
            table_bytes += len(segment)
        elif marker == _EXIF and bytes(segment[4:10]) == b"Exif\0\0":
            exif = exif or bytes(segment[4:])
        if marker in _FRAMES or marker in _TABLES or marker in (_SOS, _EOI):
            kept.append(segment)
    if frame is None or scans == 0:
        raise NoPixelsError("JPEG")
    if scans > _MAX_SCANS or table_bytes > _MAX_TABLE_BYTES:
        raise CorruptFileError("JPEG", "it is cut into too many parts")
    precision, height, width = struct.unpack_from(">BHH", frame, 4)
    if precision != 8:
        raise UnsupportedFormatError("a JPEG of more than 8 bits")
    return Container("JPEG", b"".join(kept), width, height, exif_orientation(exif))


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, memoryview]]:
    """Yield the marker and the whole of each segment up to the end mark; a scan goes with its SOS."""
    view = memoryview(data)
    position = 2
    for _ in range(_MAX_CHUNKS):
        found = _MARKER.search(data, position)
        if found is None:
            raise CorruptFileError("JPEG", "its end is missing: it was cut short")
        start, marker = found.start(), found[1][0]
        if marker == _EOI:
            yield marker, view[start : start + 2]
            return
        (length,) = struct.unpack_from(">H", data, start + 2)
        position = start + 2 + length
        if marker == _SOS:
            ending = _MARKER.search(data, position)
            position = ending.start() if ending else len(data)
        yield marker, view[start:position]
    raise CorruptFileError("JPEG", "it is cut into too many parts")


def read_webp(data: bytes) -> Container:
    """Return the one picture chunk of a WebP; transparency is left out."""
    (claimed,) = struct.unpack_from("<L", data, 4)
    if claimed + 8 > len(data):
        raise CorruptFileError("WebP", "its end is missing: it was cut short")
    pictures = []
    exif = b""
    for name, chunk in _webp_chunks(data, 8 + claimed):
        if name in (b"VP8 ", b"VP8L"):
            pictures.append(chunk)
        elif name in (b"ANIM", b"ANMF"):
            raise MultiFrameError("WebP")
        elif name == b"EXIF":
            exif = exif or bytes(chunk[8:])
    if not pictures:
        raise NoPixelsError("WebP")
    if len(pictures) > 1:
        raise MultiFrameError("WebP")
    width, height = _webp_size(pictures[0])
    header = struct.pack("<4sL4s", b"RIFF", 4 + len(pictures[0]), b"WEBP")
    return Container("WEBP", header + pictures[0], width, height, exif_orientation(exif))


def _webp_chunks(data: bytes, end: int) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the name and the whole of each chunk, with its padding."""
    view = memoryview(data)
    position = 12
    for _ in range(_MAX_CHUNKS):
        if position >= end:
            return
        name, length = struct.unpack_from("<4sL", data, position)
        chunk = view[position : position + 8 + length + length % 2]
        if len(chunk) < 8 + length:
            raise CorruptFileError("WebP", "its end is missing: it was cut short")
        yield name, chunk
        position += len(chunk)
    raise CorruptFileError("WebP", "it is cut into too many chunks")


def _webp_size(chunk: memoryview) -> tuple[int, int]:
    """Return the width and height that the bitstream's own header claims (RFC 9649, RFC 6386)."""
    if bytes(chunk[:4]) == b"VP8L":
        signature, bits = struct.unpack_from("<BL", chunk, 8)
        if signature != 0x2F:
            raise CorruptFileError("WebP")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    start_code, width, height = struct.unpack_from("<3sHH", chunk, 11)
    if start_code != b"\x9d\x01\x2a":
        raise CorruptFileError("WebP")
    return width & 0x3FFF, height & 0x3FFF


def read_bmp(data: bytes) -> Container:
    """Return a BMP as it is: its header says everything, and nothing but pixels follows."""
    (header_bytes,) = struct.unpack_from("<L", data, 14)
    if header_bytes == 12:
        width, height = struct.unpack_from("<HH", data, 18)
        return Container("BMP", data, width, height)
    width, height, _, _, compression = struct.unpack_from("<llHHL", data, 18)
    if compression not in (0, 3, 6):
        raise UnsupportedFormatError("a compressed BMP")
    return Container("BMP", data, width, abs(height))
