"""The one frame of a DICOM's pixel data, decompressed within the size that its header claims."""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.encaps import encapsulate, generate_fragments
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    JPEG2000,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    RLELossless,
)

from hilum.decoding.containers import read_jpeg
from hilum.decoding.dicom_elements import BoundedReads
from hilum.decoding.jpeg2000 import check_jpeg2000
from hilum.decoding.pictures import decode_picture
from hilum.decoding.refusals import (
    DECOMPRESS_DICOM,
    CorruptFileError,
    UnsupportedFormatError,
    check_compression,
)

Stored = npt.NDArray[np.integer[Any]]

_NATIVE = ("", ImplicitVRLittleEndian, ExplicitVRLittleEndian)
_JPEG = (JPEGBaseline8Bit, JPEGExtended12Bit)
_JPEG_2000 = (JPEG2000Lossless, JPEG2000)
SYNTAXES = frozenset((*_NATIVE, *_JPEG, *_JPEG_2000, RLELossless))
"""Transfer syntaxes that are decoded; empty where the file names none. The deflated one is not among them."""

_RLE_HEADER_BYTES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the pixels of a gray DICOM are stored."""

    rows: int
    columns: int
    bits_allocated: int
    """8 or 16."""
    bits_stored: int
    """How many of them mean something."""
    high_bit: int
    """Number of the highest of those, from 0."""
    is_signed: bool

    @property
    def least(self) -> int:
        """The least value that a pixel can have."""
        return -(2 ** (self.bits_stored - 1)) if self.is_signed else 0

    @property
    def dtype(self) -> np.dtype[np.integer[Any]]:
        """Little-endian numpy dtype of a stored pixel."""
        return np.dtype(f"<{'i' if self.is_signed else 'u'}{self.bits_allocated // 8}")


def read_frame(pixel_data: bytes, syntax: str, layout: Layout) -> Stored:
    """Return the stored values of the frame as (rows, columns) integers.

    A baseline JPEG may come smaller than that, by scaled decoding.

    Raises:
        RadiographError: the data is shorter than its header says, or of another size.
        Exception: whatever the decoders raise on broken data.
    """
    if syntax in _NATIVE:
        return _aligned(_plain(pixel_data, layout), layout)
    frame = b"".join(list(generate_fragments(BoundedReads(pixel_data)))[1:])  # after the offset table
    check_compression("DICOM", layout.columns, layout.rows, len(frame))
    if syntax in _JPEG:
        return _decode_jpeg(frame, layout)
    if syntax in _JPEG_2000:
        return _decode_jpeg2000(frame, syntax, layout)
    return _aligned(_plain(_unpack_rle(frame, layout), layout), layout)


def _plain(pixel_data: bytes, layout: Layout) -> Stored:
    """View uncompressed pixel data as the numbers it holds."""
    expected = layout.rows * layout.columns * layout.dtype.itemsize
    if len(pixel_data) < expected:
        raise CorruptFileError("DICOM", "it has fewer pixels than its header says: it was cut short")
    pixels = np.frombuffer(pixel_data, layout.dtype, count=layout.rows * layout.columns)
    return pixels.reshape(layout.rows, layout.columns)


def _aligned(pixels: Stored, layout: Layout) -> Stored:
    """Move the bits stored to the low end and extend their sign; other bits may hold old overlays."""
    unused_high = layout.bits_allocated - 1 - layout.high_bit
    unused = layout.bits_allocated - layout.bits_stored
    return (pixels << unused_high) >> unused if unused else pixels


def _decode_jpeg(frame: bytes, layout: Layout) -> Stored:
    if layout.bits_stored > 8:
        raise UnsupportedFormatError("a DICOM in JPEG of more than 8 bits", DECOMPRESS_DICOM)
    container = read_jpeg(frame)
    if (container.width, container.height) != (layout.columns, layout.rows):
        raise CorruptFileError("DICOM", "its compressed picture has another size than its header says")
    return np.asarray(decode_picture(container).image).view(np.int8 if layout.is_signed else np.uint8)


def _decode_jpeg2000(frame: bytes, syntax: str, layout: Layout) -> Stored:
    check_jpeg2000(frame, layout.columns, layout.rows)
    description: dict[str, Any] = {
        "rows": layout.rows,
        "columns": layout.columns,
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.bits_stored,
        "pixel_representation": int(layout.is_signed),
        "pixel_keyword": "PixelData",
    }
    pixels: Stored
    pixels, _ = get_decoder(syntax).as_array(
        encapsulate([frame], has_bot=False), index=0, raw=True, decoding_plugin="pillow", **description
    )
    return pixels


def _unpack_rle(frame: bytes, layout: Layout) -> bytes:
    """Return what run-length encoding packed: one segment per byte of a pixel, the highest byte first.

    Segments are PackBits (PS3.5, annex G), which Pillow unpacks into no more than it is asked for.
    """
    segments, *starts = struct.unpack_from("<16L", frame)
    if segments != layout.dtype.itemsize or min(starts[:segments]) < _RLE_HEADER_BYTES:
        raise CorruptFileError("DICOM")
    pixels = layout.rows * layout.columns
    planes = [
        Image.frombytes("L", (pixels, 1), frame[start:end], "packbits", "L")
        for start, end in zip(starts, [*starts[1:segments], len(frame)], strict=False)
    ]
    return np.dstack([np.asarray(plane).ravel() for plane in reversed(planes)]).tobytes()
