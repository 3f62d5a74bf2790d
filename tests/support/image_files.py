"""Small image files of every format that is decoded, made from one drawn picture."""

import struct
import warnings
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

Pixels = npt.NDArray[np.uint8]

PATIENT_NAME = "HOSTILE-PHI-MARKER^Jane"
"""What must never be seen outside the file."""


def drawn_picture(width: int = 48, height: int = 64) -> Pixels:
    """Return a picture without any symmetry: brighter to the right and below, with one bright block."""
    rows, columns = np.mgrid[0:height, 0:width]
    picture = 40 + 60 * columns / width + 90 * rows / height + 12 * np.sin(columns / 3) * np.cos(rows / 4)
    picture[height // 8 : height // 4, width // 8 : width // 2] = 230
    return np.asarray(picture.round(), np.uint8)


def encoded(picture: npt.NDArray[Any] | Image.Image, file_format: str, **options: Any) -> bytes:
    """Return a picture as a file, by Pillow."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    stream = BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


def png_chunk(name: bytes, content: bytes) -> bytes:
    """Return one chunk of a PNG, with its checksum."""
    return struct.pack(">L", len(content)) + name + content + struct.pack(">L", zlib.crc32(name + content))


def png_file(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 0) -> bytes:
    """Return a PNG with a header and these chunks before its end."""
    header = png_chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"".join([b"\x89PNG\r\n\x1a\n", header, *chunks, png_chunk(b"IEND", b"")])


def dicom_dataset(pixels: npt.NDArray[Any], **elements: Any) -> Dataset:
    """Return an uncompressed gray DICOM of (rows, columns) integers, with `elements`; None takes one away."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = UID("1.2.3.4")
    dataset.PatientName = PATIENT_NAME
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    if "BitsStored" in elements and "HighBit" not in elements:
        dataset.HighBit = dataset.BitsStored - 1
    return dataset


def saved(dataset: Dataset, *, implicit_vr: bool = False, preamble: bool = True) -> bytes:
    """Return a data set as a file; without preamble, it begins with group 2."""
    stream = BytesIO()
    if implicit_vr:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # broken values are written on purpose
        dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue() if preamble else stream.getvalue()[132:]


def dicom_file(pixels: npt.NDArray[Any], **elements: Any) -> bytes:
    """Return an uncompressed gray DICOM file; see `dicom_dataset`."""
    return saved(dicom_dataset(pixels, **elements))


def compressed_dicom(pixels: npt.NDArray[Any], syntax: str, frame: bytes = b"", **elements: Any) -> bytes:
    """Return a DICOM whose pixels are `frame`, or are compressed here: by RLE, JPEG or JPEG 2000."""
    dataset = dicom_dataset(pixels, **elements)
    if syntax == RLELossless:
        dataset.compress(RLELossless, pixels, generate_instance_uid=False)
        return saved(dataset)
    if not frame and syntax == JPEGBaseline8Bit:
        frame = encoded(pixels, "JPEG", quality=95)
    if not frame and syntax == JPEG2000Lossless:
        frame = encoded(pixels, "JPEG2000", no_jp2=True)
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].is_undefined_length = True
    return saved(dataset)


def one_of_each() -> dict[str, bytes]:
    """Return a small valid file of every format and variant that is decoded, by name."""
    picture = drawn_picture()
    wide = picture.astype(np.uint16) * 16
    image = Image.fromarray(picture)
    return {
        "jpeg": encoded(picture, "JPEG"),
        "jpeg progressive": encoded(picture, "JPEG", progressive=True),
        "jpeg colour": encoded(image.convert("RGB"), "JPEG"),
        "png": encoded(picture, "PNG"),
        "png 16 bit": encoded(wide, "PNG"),
        "png palette": encoded(image.convert("P"), "PNG"),
        "png with alpha": encoded(image.convert("LA"), "PNG"),
        "tiff": encoded(picture, "TIFF"),
        "tiff lzw": encoded(picture, "TIFF", compression="tiff_lzw"),
        "tiff deflate": encoded(wide, "TIFF", compression="tiff_adobe_deflate"),
        "tiff float": encoded(picture.astype(np.float32), "TIFF"),
        "bmp": encoded(picture, "BMP"),
        "webp": encoded(image.convert("RGB"), "WEBP"),
        "webp lossless": encoded(image.convert("RGB"), "WEBP", lossless=True),
        "dicom": dicom_file(picture),
        "dicom 12 bit": dicom_file(
            wide, BitsStored=12, WindowCenter=2000, WindowWidth=4000, RescaleSlope=1, RescaleIntercept=-1
        ),
        "dicom implicit": saved(dicom_dataset(picture), implicit_vr=True),
        "dicom without preamble": saved(dicom_dataset(picture), preamble=False),
        "dicom rle": compressed_dicom(wide, RLELossless),
        "dicom jpeg": compressed_dicom(picture, JPEGBaseline8Bit),
        "dicom jpeg 2000": compressed_dicom(wide, JPEG2000Lossless),
    }
