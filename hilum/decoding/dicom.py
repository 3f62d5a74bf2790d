"""DICOM files to 8-bit gray."""

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from hilum.decoding.dicom_elements import PIXELS, read_elements, read_meta
from hilum.decoding.dicom_frames import SYNTAXES, Layout, read_frame
from hilum.decoding.dicom_window import display_table
from hilum.decoding.gray_levels import look_up
from hilum.decoding.pictures import GrayPicture
from hilum.decoding.refusals import (
    DECOMPRESS_DICOM,
    CorruptFileError,
    MultiFrameError,
    NoPixelsError,
    UnsupportedFormatError,
    check_size,
)


def decode_dicom(data: bytes) -> GrayPicture:
    """Decode a DICOM of one gray frame: rescaled, windowed, white up.

    Raises:
        RadiographError: no pixels, several frames, too many pixels, a variant that is not decoded.
        Exception: whatever pydicom, Pillow and numpy raise on broken files.
    """
    syntax, stream = read_meta(data)
    if syntax not in SYNTAXES:
        raise UnsupportedFormatError("a DICOM in a compression that is not decoded here", DECOMPRESS_DICOM)
    dataset = read_elements(stream, syntax)
    if not any(keyword in dataset for keyword in PIXELS):
        raise NoPixelsError("DICOM")
    layout = _read_layout(dataset)
    stored = read_frame(dataset.get_item(Tag("PixelData")).value, syntax, layout)
    # A compressed picture may come with fewer bits than its header allocates.
    stored = stored.astype(np.promote_types(stored.dtype, layout.dtype), copy=False)
    table = display_table(dataset, layout, int(stored.min()), int(stored.max()))
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        table = np.invert(table)
    # Counted from the least value that a pixel can have, numbers with a sign index the table too.
    unsigned = f"u{stored.itemsize}"
    index = stored.view(unsigned) - stored.dtype.type(layout.least).view(unsigned)
    return GrayPicture(Image.fromarray(look_up(table, index)), layout.columns, layout.rows)


def _read_layout(dataset: Dataset) -> Layout:
    """Return how pixels are stored; refuse what is not one gray picture of a possible size."""
    check_size(int(dataset.Columns), int(dataset.Rows))
    if int(dataset.get("NumberOfFrames") or 1) != 1:
        raise MultiFrameError("DICOM")
    is_gray = dataset.PhotometricInterpretation in ("MONOCHROME1", "MONOCHROME2")
    if not is_gray or int(dataset.get("SamplesPerPixel", 1)) != 1:
        raise UnsupportedFormatError("a colour DICOM", "Send the radiograph itself, not a colour copy of it.")
    allocated = int(dataset.BitsAllocated)
    if allocated not in (8, 16) or "PixelData" not in dataset:
        raise UnsupportedFormatError("a DICOM of neither 8 nor 16 bits per pixel")
    stored = int(dataset.get("BitsStored", allocated))
    high = int(dataset.get("HighBit", stored - 1))
    if not 1 <= stored <= high + 1 <= allocated:
        raise CorruptFileError("DICOM", "its bits stored do not fit into its bits allocated")
    return Layout(
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high,
        is_signed=int(dataset.get("PixelRepresentation", 0)) == 1,
    )
