"""Bytes of an image file to the canonical radiograph: the one decoder that training and serving share.

    bytes -> containers, tiff | dicom -> gray picture -> letterbox -> (1, 256, 256) uint8

What the file holds decides, never its name. Bounds on bytes and pixels are checked on headers,
before anything is decoded; whatever is refused is refused by a `RadiographError`. Refusing takes no
more memory than a few times the file; decoding takes up to 16 bytes per pixel, within `MAX_PIXELS`.
"""

import hashlib
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, features

from hilum.contract import RADIOGRAPH_SIZE_PX
from hilum.decoding.containers import read_bmp, read_jpeg, read_png, read_webp
from hilum.decoding.pictures import GrayPicture, decode_picture
from hilum.decoding.quiet import quiet
from hilum.decoding.refusals import (
    MAX_ASPECT,
    MAX_BYTES,
    MAX_PIXELS,
    MIN_SIDE_PX,
    REASONS,
    RadiographError,
    UnsupportedFormatError,
    check_length,
    refused_as_corrupt,
)
from hilum.decoding.tiff import read_tiff

__all__ = [
    "DECODER_DIGEST",
    "MAX_ASPECT",
    "MAX_BYTES",
    "MAX_PIXELS",
    "MIN_SIDE_PX",
    "REASONS",
    "RadiographError",
    "decode_radiograph",
]

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"BM", "BMP"),
)
"""First bytes of a picture file, and its format."""

_READERS = {"PNG": read_png, "JPEG": read_jpeg, "TIFF": read_tiff, "BMP": read_bmp, "WebP": read_webp}
"""What reduces a picture file to its pixels, by format."""

_KNOWN_OTHERS = (
    (b"GIF8", "a GIF"),
    (b"II+\0", "a BigTIFF"),
    (b"MM\0+", "a BigTIFF"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive"),
    (b"<", "a text file such as SVG, XML or HTML"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"MZ", "a program"),
)
"""First bytes of what people send by mistake, and how the message calls it."""

_DICOM_FIRST_GROUPS = (b"\x02\0", b"\x08\0")
"""How a DICOM without preamble begins: group 2, the file's own data, or group 8, the study's."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How to turn a stored picture upright, by its EXIF orientation."""

_REDUCING_GAP = 3.0
"""How far whole-number averaging may go before the bilinear filter: Pillow's "almost as good as without"."""


def decode_radiograph(data: bytes) -> npt.NDArray[np.uint8]:
    """Return the canonical radiograph of an image file.

    8-bit gray, letterboxed in the middle of black with its proportions kept, the longer side scaled
    to 256 pixels with antialiasing, upright as stored (an EXIF orientation is applied; a DICOM's
    window, or else its own range, and MONOCHROME1 are too). Colours become their luma, transparency
    is dropped, and pictures of more than 8 bits are scaled from their own range.

    Args:
        data: a whole JPEG, PNG, TIFF, BMP, WebP or DICOM file.

    Returns:
        (1, 256, 256) uint8.

    Raises:
        RadiographError: the bytes give no radiograph; `reason` says why in one word, the message in a
            sentence that repeats nothing from the file. No other exception leaves this function.
    """
    check_length(len(data))
    kind = _recognise(data)
    decode = _decoder(kind)
    with quiet(), refused_as_corrupt(kind):
        return _letterbox(decode(data))


def _recognise(data: bytes) -> str:
    """Return the format that the content shows."""
    # The preamble of a DICOM may be made to look like the start of another file: its mark decides.
    if data[128:132] == b"DICM" or data[:2] in _DICOM_FIRST_GROUPS:
        return "DICOM"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    raise UnsupportedFormatError(
        next((name for signature, name in _KNOWN_OTHERS if data.startswith(signature)), "other content")
    )


def _decoder(kind: str) -> Callable[[bytes], GrayPicture]:
    """Return what decodes a recognised format, at about the picture's own size."""
    if kind in _READERS:
        read = _READERS[kind]
        return lambda data: decode_picture(read(data))
    # Imported when the first DICOM arrives: pydicom takes as long to import as all the rest.
    from hilum.decoding.dicom import decode_dicom

    return decode_dicom


def _letterbox(picture: GrayPicture) -> npt.NDArray[np.uint8]:
    """Fit a gray picture into the middle of a black square, upright."""
    scale = RADIOGRAPH_SIZE_PX / max(picture.width, picture.height)
    size = round(picture.width * scale), round(picture.height * scale)
    fitted = picture.image.resize(size, Image.Resampling.BILINEAR, reducing_gap=_REDUCING_GAP)
    if picture.orientation in _TURNS:
        fitted = fitted.transpose(_TURNS[picture.orientation])
    radiograph = np.zeros((1, RADIOGRAPH_SIZE_PX, RADIOGRAPH_SIZE_PX), np.uint8)
    left, top = (RADIOGRAPH_SIZE_PX - fitted.width) // 2, (RADIOGRAPH_SIZE_PX - fitted.height) // 2
    radiograph[0, top : top + fitted.height, left : left + fitted.width] = np.asarray(fitted)
    return radiograph


def _digest(sources: Iterable[Path], versions: Iterable[str]) -> str:
    """Return the SHA-256 of the decoder's source files and of the versions of what it calls."""
    digest = hashlib.sha256()
    for part in (*(source.read_bytes() for source in sources), *(text.encode() for text in versions)):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


DECODER_DIGEST = _digest(
    (Path(__file__), *sorted(Path(__file__).with_name("decoding").glob("*.py"))),
    (
        f"size {RADIOGRAPH_SIZE_PX}",
        *(f"{package} {version(package)}" for package in ("numpy", "pillow", "pydicom")),
        *(f"{codec} {features.version(codec)}" for codec in ("libjpeg_turbo", "jpg", "jpg_2000", "webp")),
    ),
)
"""SHA-256 that changes with whatever can change a pixel: this decoder's source, the versions of the
libraries that it calls, and those of the lossy codecs that they were built with. Caches and releases
are keyed by it."""
