"""The elements of a DICOM that describe pixels, read by pydicom within bounds.

Nothing else is kept: patients' names are skipped unread, and a header of millions of elements ends
early instead of becoming millions of Python objects.
"""

import math
from io import BytesIO

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_sequence
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag
from pydicom.uid import ImplicitVRLittleEndian

from hilum.decoding.refusals import CorruptFileError

_PREAMBLE_BYTES = 132
"""128 bytes of anything, and the mark DICM."""

SCALARS = (
    *("SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "VOILUTFunction"),
)
SEQUENCES = ("ModalityLUTSequence", "VOILUTSequence")
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

_MAX_READS = 50_000
"""Most reads of a header or of pixel data: two or three per element, and real headers have some hundred."""

_MAX_SCALAR_BYTES = 1024
"""Longest value of `SCALARS`: a handful of numbers of at most 16 characters."""

_MAX_TABLE_BYTES = 2 * 2**16
"""Longest look-up table: 16 bits for every value of 16 bits."""


_CHARACTER_SET = b"\x08\0\x05\0"
_PRIVATE = b"\x09\0\x05\0"
_HEADER_BYTES = 8


class BoundedReads(BytesIO):
    """Bytes that can be read a bounded number of times: parsing them ends, whatever they are.

    The character set is shown as a private element. No text is wanted here, and pydicom would decode
    that one element, at any length and any number of times, before it can be refused.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next `size` bytes, or fewer at the end."""
        self._reads += 1
        if self._reads > _MAX_READS:
            raise CorruptFileError("DICOM", "it is cut into too many elements")
        content = super().read(size)
        if size == _HEADER_BYTES and content.startswith(_CHARACTER_SET):
            return _PRIVATE + content[len(_PRIVATE) :]
        return content


def read_meta(data: bytes) -> tuple[str, BoundedReads]:
    """Return the transfer syntax, empty where the file names none, and the stream at its data set."""
    stream = BoundedReads(data)
    stream.seek(_PREAMBLE_BYTES if data[128:132] == b"DICM" else 0)
    meta = read_dataset(stream, is_implicit_VR=False, is_little_endian=True, stop_when=_is_past_meta)
    _check_length(meta, "TransferSyntaxUID", _MAX_SCALAR_BYTES)
    return str(meta.get("TransferSyntaxUID", "")).strip(), stream


def read_elements(stream: BoundedReads, syntax: str) -> Dataset:
    """Return the elements of `SCALARS`, `SEQUENCES` and `PIXELS` that the data set has.

    NOTE: not by `dcmread`, which would inflate a deflated file without bound before anything can be checked.
    """
    dataset = read_dataset(
        stream,
        is_implicit_VR=syntax in ("", ImplicitVRLittleEndian),
        is_little_endian=True,
        specific_tags=[Tag(keyword) for keyword in (*SCALARS, *SEQUENCES, *PIXELS)],
    )
    for keyword in SCALARS:
        _check_length(dataset, keyword, _MAX_SCALAR_BYTES)
    return dataset


def number(dataset: Dataset, keyword: str) -> float | None:
    """Return the first value of a numeric element; None where it is absent, empty or not finite."""
    value = dataset.get(keyword)
    if isinstance(value, MultiValue):
        value = value[0] if value else None
    if value is None or value == "":
        return None
    return float(value) if math.isfinite(float(value)) else None


def look_up_table(dataset: Dataset, keyword: str) -> tuple[int, int] | None:
    """Prepare the first table of one of `SEQUENCES` for pydicom; return its first input and its length.

    The entries are declared to be of 16 bits, whatever they use: with 8, pydicom would count inputs modulo
    256, and it refuses most other numbers. None where there is no table; then pydicom will see none either.
    """
    item = _first_item(dataset, keyword)
    if item is None or "LUTDescriptor" not in item or "LUTData" not in item:
        if keyword in dataset:
            del dataset[keyword]
        return None
    _check_length(item, "LUTDescriptor", _MAX_SCALAR_BYTES)
    _check_length(item, "LUTData", _MAX_TABLE_BYTES)
    length, first, _ = (int(value) for value in item.LUTDescriptor)
    item.LUTDescriptor = [length, first, 16]
    dataset[keyword] = DataElement(Tag(keyword), "SQ", Sequence([item]))
    return first, length or 2**16


def _first_item(dataset: Dataset, keyword: str) -> Dataset | None:
    """Return the first item of a sequence; one of known length is still to be parsed, within bounds."""
    if keyword not in dataset:
        return None
    element = dataset.get_item(Tag(keyword))
    items = element.value
    if isinstance(element, RawDataElement):
        stream = BoundedReads(element.value or b"")
        items = read_sequence(
            stream, element.is_implicit_VR, element.is_little_endian, len(element.value or b""), "iso8859"
        )
    return items[0] if items else None


def _is_past_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    """Say whether an element is past group 2, which is about the file itself."""
    return tag.group != 2


def _check_length(dataset: Dataset, keyword: str, most: int) -> None:
    """Refuse an element that is longer than it can need to be, before it becomes Python objects."""
    element = dataset.get_item(Tag(keyword)) if keyword in dataset else None
    if isinstance(element, RawDataElement) and len(element.value or b"") > most:
        raise CorruptFileError("DICOM", "a value in its header is far too long")
