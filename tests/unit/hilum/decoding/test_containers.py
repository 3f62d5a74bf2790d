"""Files reduced to their pixels: what is kept, what is left out, which size is claimed."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from hilum.decoding.containers import Container, read_bmp, read_jpeg, read_png, read_webp
from hilum.decoding.refusals import RadiographError
from hilum.decoding.tiff import read_tiff
from tests.support.image_files import PATIENT_NAME, drawn_picture, encoded, png_chunk, png_file

SECRET = PATIENT_NAME.encode()
PICTURE = drawn_picture()
EXIF = Image.Exif()
EXIF[0x0112] = 8
EXIF[0x010E] = PATIENT_NAME


def with_jpeg_segments(data: bytes, *segments: tuple[int, bytes]) -> bytes:
    """Return a JPEG with segments of (marker, content) after its start."""
    added = [
        bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content for marker, content in segments
    ]
    return data[:2] + b"".join(added) + data[2:]


def assert_clean(container: Container, kind: str) -> None:
    """Check that only the picture is left, and that Pillow still reads it."""
    assert SECRET not in container.data
    assert container.kind == kind
    assert (container.width, container.height) == (48, 64)
    assert container.orientation == 8
    with Image.open(BytesIO(container.data), formats=(kind,)) as image:
        image.load()
        assert image.size == (48, 64)
        assert not image.getexif()


def test_png_keeps_no_text() -> None:
    text = png_chunk(b"tEXt", b"Patient\0" + SECRET) + png_chunk(b"zTXt", b"k\0\0" + zlib.compress(SECRET))
    data = encoded(PICTURE, "PNG", exif=EXIF)
    assert_clean(read_png(data[:33] + text + data[33:] + SECRET), "PNG")


def test_jpeg_keeps_no_comment_profile_preview_or_appended_file() -> None:
    data = encoded(PICTURE, "JPEG", exif=EXIF)
    noisy = with_jpeg_segments(data, (0xFE, SECRET), (0xE2, b"ICC_PROFILE\0" + SECRET), (0xED, SECRET))
    assert_clean(read_jpeg(noisy + SECRET), "JPEG")


def test_webp_keeps_no_metadata() -> None:
    data = encoded(Image.fromarray(PICTURE).convert("RGBA"), "WEBP", exif=EXIF, xmp=SECRET)
    assert_clean(read_webp(data + SECRET), "WEBP")


def test_tiff_shows_no_other_tag() -> None:
    data = encoded(PICTURE, "TIFF", tiffinfo={0x0112: 8, 0x010E: "Chest", 0x013B: "Doe"})
    container = read_tiff(data)
    with Image.open(BytesIO(container.data)) as image:
        assert not {0x0112, 0x010E, 0x013B} & set(image.tag_v2)  # type: ignore[attr-defined]  # a TIFF
        assert (np.asarray(image) == PICTURE).all()
    assert (container.width, container.height, container.orientation) == (48, 64, 8)


def test_bmp_may_be_stored_top_down() -> None:
    data = bytearray(encoded(PICTURE, "BMP"))
    assert (read_bmp(bytes(data)).width, read_bmp(bytes(data)).height) == (48, 64)
    data[22:26] = struct.pack("<l", -64)
    assert read_bmp(bytes(data)).height == 64


def test_first_of_two_exif_blocks_counts() -> None:
    data = encoded(PICTURE, "JPEG", exif=EXIF)
    upside_down = b"Exif\0\0II*\0\x08\0\0\0\1\0" + struct.pack("<HHLL", 0x0112, 3, 1, 3) + bytes(4)
    assert read_jpeg(with_jpeg_segments(data, (0xE1, upside_down))).orientation == 3


def tiff_of(*entries: tuple[int, int, int, int]) -> bytes:
    """Return a TIFF of 48 x 64 whose directory has these (tag, type, count, value) as well."""
    every = [(256, 3, 1, 48), (257, 3, 1, 64), *entries]
    packed = b"".join(struct.pack("<HHLL", *entry) for entry in every)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(every)) + packed + bytes(4)


SCAN = b"\xff\xda\0\x08\1\1\0\0\x3f\0"
JPEG = encoded(PICTURE, "JPEG")
FRAME = b"\x08\0\x40\0\x30\1\1\x11\0"
EMPTY_IDAT = png_chunk(b"IDAT", b"")
HEADLESS_PNG = png_file(64, 64)[:8] + EMPTY_IDAT + png_chunk(b"IEND", b"")

REFUSED = {
    "png cut into chunks": (read_png, "corrupt", png_file(64, 64, EMPTY_IDAT * 100_001)),
    "png of two headers": (read_png, "corrupt", png_file(64, 64, png_chunk(b"IHDR", bytes(13)), EMPTY_IDAT)),
    "png without header": (read_png, "corrupt", HEADLESS_PNG),
    "png cut in a length": (read_png, "struct", png_file(64, 64)[:-10]),
    "jpeg of many scans": (read_jpeg, "corrupt", JPEG[:-2] + SCAN * 32 + JPEG[-2:]),
    "jpeg of many tables": (read_jpeg, "corrupt", with_jpeg_segments(JPEG, *[(0xDB, bytes(65))] * 20_000)),
    "jpeg of many segments": (read_jpeg, "corrupt", with_jpeg_segments(JPEG, *[(0xE1, b"")] * 100_001)),
    "jpeg of two frames": (read_jpeg, "corrupt", with_jpeg_segments(JPEG, (0xC0, FRAME))),
    "jpeg of tables only": (read_jpeg, "no_pixels", b"\xff\xd8\xff\xdb\0\x43" + bytes(65) + b"\xff\xd9"),
    "jpeg without end": (read_jpeg, "corrupt", JPEG[:-2]),
    "lossless jpeg": (read_jpeg, "unsupported_format", JPEG.replace(b"\xff\xc0", b"\xff\xc3")),
    "12-bit jpeg": (read_jpeg, "unsupported_format", JPEG.replace(b"\xc0\0\x0b\x08", b"\xc0\0\x0b\x0c")),
    "run-length bmp": (read_bmp, "unsupported_format", encoded(PICTURE, "BMP")[:30] + b"\1" + bytes(99)),
    "webp of two pictures": (read_webp, "multi_frame", b"RIFF\x18\0\0\0WEBP" + b"VP8 \2\0\0\0\0\0" * 2),
    "webp without picture": (read_webp, "no_pixels", b"RIFF\x0c\0\0\0WEBPICCP\0\0\0\0"),
    "tiff of many strips": (read_tiff, "corrupt", tiff_of((273, 4, 1000, 8))),
    "tiff of vast tiles": (read_tiff, "corrupt", tiff_of((322, 3, 1, 1025))),
    "tiff in lab colours": (read_tiff, "unsupported_format", encoded(Image.new("LAB", (48, 64)), "TIFF")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name: str) -> None:
    reader, reason, data = REFUSED[name]
    with pytest.raises(struct.error if reason == "struct" else RadiographError) as caught:
        reader(data)
    assert getattr(caught.value, "reason", "struct") == reason
