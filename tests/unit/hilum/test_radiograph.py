"""The canonical radiograph: geometry, shades and refusals, by format."""

import struct
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from hilum import radiograph
from hilum.contract import RADIOGRAPH
from hilum.decoding import refusals
from hilum.radiograph import DECODER_DIGEST, MAX_BYTES, REASONS, RadiographError, decode_radiograph
from tests.support.image_files import drawn_picture, encoded, one_of_each, png_chunk, png_file

EXIF_ORIENTATION = 0x0112


def decoded(data: bytes) -> npt.NDArray[np.int64]:
    """Return the (256, 256) radiograph as integers that do not wrap."""
    return np.asarray(decode_radiograph(data)[0], np.int64)


def refusal(data: bytes) -> RadiographError:
    """Return the error with which `data` is refused."""
    with pytest.raises(RadiographError) as caught:
        decode_radiograph(data)
    return caught.value


@pytest.mark.parametrize("name", one_of_each())
def test_every_format_shows_the_same_picture(name: str) -> None:
    radiograph_ = decode_radiograph(one_of_each()[name])
    assert radiograph_.shape == RADIOGRAPH.shape
    assert radiograph_.dtype == np.uint8
    expected = decoded(encoded(drawn_picture(), "PNG"))
    shown = radiograph_[0].astype(np.int64)
    assert np.corrcoef(shown.ravel(), expected.ravel())[0, 1] > 0.98
    if not {"16", "float", "deflate", "rle", "2000", "12"} & set(name.split()):  # those are stretched
        assert np.abs(shown - expected).mean() < 1.5


def test_wide_picture_is_centred_on_black_with_its_proportions() -> None:
    shown = decoded(encoded(np.full((100, 200), 200, np.uint8), "PNG"))
    rows = np.flatnonzero(shown.any(axis=1))
    assert (rows[0], rows[-1]) == (64, 191)
    assert (shown[64:192] == 200).all()
    assert shown[:64].max() == shown[192:].max() == 0


def test_tall_picture_is_centred_on_black_with_its_proportions() -> None:
    shown = decoded(encoded(np.full((2500, 2000), 90, np.uint8), "PNG"))
    columns = np.flatnonzero(shown.any(axis=0))
    assert (columns[0], columns[-1]) == (25, 229)  # round(2000 * 256 / 2500) = 205 columns


def test_thumbnail_is_enlarged_to_the_full_side() -> None:
    picture = drawn_picture(64, 64)
    shown = decoded(encoded(picture, "PNG"))
    assert shown[:, 0].min() > 0
    assert shown[:, 255].min() > 0
    blocks = shown.reshape(64, 4, 64, 4).mean(axis=(1, 3))
    assert np.abs(blocks - picture).mean() < 1


def test_large_picture_is_antialiased_like_block_means() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (1024, 1024), dtype=np.uint8)
    blocks = noise.reshape(256, 4, 256, 4).mean(axis=(1, 3))
    shown = decoded(encoded(noise, "PNG"))
    # The triangle filter of a fourfold reduction: picking single pixels would leave a standard deviation
    # of 74 in place of 12, and a correlation of 0.25.
    weights = 1 - np.abs(np.arange(-3.5, 4)) / 4
    assert shown.std() == pytest.approx(noise.std() * ((weights / weights.sum()) ** 2).sum(), rel=0.03)
    assert np.corrcoef(shown.ravel(), blocks.ravel())[0, 1] > 0.8


def test_scaled_jpeg_decoding_equals_full_decoding() -> None:
    smooth = np.asarray(Image.fromarray(drawn_picture(200, 250)).resize((2000, 2500)))
    data = encoded(smooth, "JPEG", quality=95)
    fully = Image.open(BytesIO(data)).convert("L")
    assert np.abs(decoded(data) - decoded(encoded(fully, "PNG"))).mean() < 0.5


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_sets_upright(file_format: str, orientation: int) -> None:
    stored = Image.fromarray(drawn_picture()).convert("RGB")
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    lossless: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100}}
    data = encoded(stored, file_format, exif=exif, **lossless.get(file_format, {}))
    tagged = stored.copy()
    tagged.getexif()[EXIF_ORIENTATION] = orientation
    upright = ImageOps.exif_transpose(tagged)
    assert np.abs(decoded(data) - decoded(encoded(upright, "PNG"))).max() <= (
        4 if file_format == "JPEG" else 2
    )


def test_broken_exif_leaves_the_picture_as_stored() -> None:
    data = encoded(drawn_picture(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert (decoded(data) == decoded(encoded(drawn_picture(), "JPEG"))).all()


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "RGB", "CMYK", "P", "PA"])
def test_colour_modes_show_the_same_gray(mode: str) -> None:
    image = Image.fromarray(drawn_picture())
    image = image.convert("RGB").convert("CMYK") if mode == "CMYK" else image.convert(mode)
    file_format = "TIFF" if mode in ("CMYK", "PA") else "PNG"
    assert np.abs(decoded(encoded(image, file_format)) - decoded(encoded(drawn_picture(), "PNG"))).max() <= 2


@pytest.mark.parametrize(
    ("mode", "file_format"), [("RGBA", "PNG"), ("LA", "PNG"), ("RGBA", "TIFF"), ("LA", "TIFF")]
)
def test_transparent_pixels_show_their_colours(mode: str, file_format: str) -> None:
    image = Image.fromarray(drawn_picture()).convert(mode)
    image.putalpha(0)
    assert (decoded(encoded(image, file_format)) == decoded(encoded(drawn_picture(), "PNG"))).all()


def test_premultiplied_tiff_shows_its_colours() -> None:
    image = Image.fromarray(drawn_picture()).convert("LA")
    data = bytearray(encoded(image, "TIFF"))
    extra_samples = data.index(struct.pack("<HHL", 338, 3, 1)) + 8
    data[extra_samples] = 1
    assert (decoded(bytes(data)) == decoded(encoded(drawn_picture(), "PNG"))).all()


@pytest.mark.parametrize(("low", "high"), [(0, 65535), (0, 4095), (30000, 30100)])
@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bits_are_scaled_from_their_own_range(low: int, high: int, file_format: str) -> None:
    ramp = np.linspace(low, high, 64 * 64).reshape(64, 64).round().astype(np.uint16)
    by_hand = ((ramp - float(low)) * 255 / (high - low)).round().astype(np.uint8)
    assert np.abs(decoded(encoded(ramp, file_format)) - decoded(encoded(by_hand, "PNG"))).max() <= 1


def test_floats_are_scaled_from_their_own_finite_range() -> None:
    ramp = np.linspace(-3, 5, 64 * 64, dtype=np.float32).reshape(64, 64)
    expected = decoded(encoded(ramp, "TIFF"))
    assert expected.min() == 0
    assert expected.max() == 255
    ramp[0, 0], ramp[63, 63] = -np.inf, np.inf
    assert np.abs(decoded(encoded(ramp, "TIFF")) - expected).max() <= 2
    ramp[:, :] = np.nan
    assert decoded(encoded(ramp, "TIFF")).max() == 0


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_constant_deep_picture_is_black(dtype: type) -> None:
    assert decoded(encoded(np.full((64, 64), 700, dtype), "TIFF")).max() == 0


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_is_zero_is_turned_round(dtype: type) -> None:
    picture: npt.NDArray[Any] = drawn_picture().astype(dtype)
    shown = decoded(encoded(picture, "TIFF"))
    inverted = decoded(encoded(picture, "TIFF", tiffinfo={262: 0}))
    content = shown > 0
    if dtype is np.uint8:  # Pillow turns the pixels round when it writes, too
        assert (inverted == shown).all()
    else:
        assert np.corrcoef(inverted[content], shown[content])[0, 1] < -0.99


def test_one_bit_and_four_bit_pictures_use_the_full_range() -> None:
    halves = np.zeros((64, 64), np.uint8)
    halves[:, 32:] = 255
    assert (
        decoded(encoded(Image.fromarray(halves).convert("1"), "PNG")) == decoded(encoded(halves, "PNG"))
    ).all()
    rows = (b"\0" + b"\x00" * 16 + b"\xff" * 16) * 64
    four_bits = png_file(64, 64, png_chunk(b"IDAT", zlib.compress(rows)), depth=4)
    assert (decoded(four_bits) == decoded(encoded(halves, "PNG"))).all()


def deep_colour_png(high: int) -> bytes:
    """Return a 16-bit RGB PNG: a ramp from 0 to `high`."""
    ramp = np.linspace(0, high, 64 * 64).reshape(64, 64).astype(">u2")
    rows = b"".join(b"\0" + np.repeat(row, 3).tobytes() for row in ramp)
    return png_file(64, 64, png_chunk(b"IDAT", zlib.compress(rows)), depth=16, colour=2)


def test_16_bit_colour_is_scaled_from_its_own_range() -> None:
    shown = decoded(deep_colour_png(0x7FFF))
    assert (shown.min(), shown.max()) == (0, 255)


def test_16_bit_colour_in_a_narrow_range_is_refused() -> None:
    error = refusal(deep_colour_png(0x0FFF))
    assert error.reason == "unsupported_format"
    assert "16-bit gray PNG" in str(error)


REFUSED = {
    "empty": ("empty", b""),
    "text": ("unsupported_format", b"Patient: Jane Doe, chest X-ray"),
    "gif": ("unsupported_format", encoded(drawn_picture(), "GIF")),
    "svg": ("unsupported_format", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "jpeg 2000": ("unsupported_format", encoded(drawn_picture(), "JPEG2000")),
    "bigtiff": ("unsupported_format", encoded(drawn_picture(), "TIFF", big_tiff=True)),
    "tiff jpeg": ("unsupported_format", encoded(drawn_picture(), "TIFF", compression="jpeg")),
    "icon": ("too_small", encoded(drawn_picture(31, 40), "PNG")),
    "strip": ("too_elongated", encoded(drawn_picture(40, 321), "PNG")),
    "claims too much": ("too_many_pixels", png_file(8000, 8000, png_chunk(b"IDAT", b""))),
    "claims more than its bytes": ("corrupt", png_file(6000, 6000, png_chunk(b"IDAT", b""))),
    "no pixels": ("no_pixels", png_file(64, 64)),
    "animated png": (
        "multi_frame",
        encoded(
            drawn_picture(), "PNG", save_all=True, append_images=[Image.fromarray(drawn_picture()[::-1])]
        ),
    ),
    "animated webp": (
        "multi_frame",
        encoded(
            Image.fromarray(drawn_picture()).convert("RGB"),
            "WEBP",
            save_all=True,
            append_images=[Image.fromarray(drawn_picture()[::-1]).convert("RGB")],
        ),
    ),
    "two pages": (
        "multi_frame",
        encoded(drawn_picture(), "TIFF", save_all=True, append_images=[Image.fromarray(drawn_picture())]),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_has_a_reason_and_says_what_to_do(name: str) -> None:
    reason, data = REFUSED[name]
    error = refusal(data)
    assert error.reason == reason
    assert str(error).startswith("Expected ")
    assert len(str(error).split(". ")) >= 2, "what was expected and found, then what to do"
    assert "Jane" not in str(error)


def test_too_many_bytes_are_refused_unread() -> None:
    assert refusal(bytes(MAX_BYTES + 1)).reason == "too_many_bytes"
    assert refusal(bytes(MAX_BYTES)).reason == "unsupported_format"


@pytest.mark.parametrize("name", [name for name in one_of_each() if "dicom" not in name])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_cut_short_is_refused(name: str, share: float) -> None:
    data = one_of_each()[name]
    assert refusal(data[: int(share * len(data))]).reason == "corrupt"


def test_jpeg_without_its_middle_is_refused() -> None:
    data = encoded(drawn_picture(400, 400), "JPEG", quality=95)
    middle = len(data) // 2
    assert refusal(data[:middle] + data[middle + 2000 :]).reason == "corrupt"
    assert refusal(data[:middle] + b"\xff\xd9").reason == "corrupt"


def test_flat_gray_jpeg_is_no_broken_jpeg() -> None:
    assert decoded(encoded(np.full((64, 64), 128, np.uint8), "JPEG")).min() == 128


def test_one_changed_pixel_byte_of_a_png_is_refused() -> None:
    data = bytearray(encoded(drawn_picture(), "PNG"))
    data[len(data) // 2] ^= 1
    assert "checksum" in str(refusal(bytes(data)))


def test_reasons_are_those_of_the_error_classes() -> None:
    classes: list[type[RadiographError]] = [RadiographError, *RadiographError.__subclasses__()]
    assert sorted(REASONS) == sorted({error.reason for error in classes})
    assert len(set(REASONS)) == len(classes)


def test_digest_changes_with_source_and_versions(tmp_path: Path) -> None:
    source = tmp_path / "decoder.py"
    source.write_text("size = 1")
    before = radiograph._digest([source], ["pillow 12"])
    assert before == radiograph._digest([source], ["pillow 12"])
    assert before != radiograph._digest([source], ["pillow 13"])
    source.write_text("size = 2")
    assert before != radiograph._digest([source], ["pillow 12"])
    assert len(DECODER_DIGEST) == 64


def test_digest_is_the_same_in_another_process_and_import_is_light() -> None:
    program = (
        "import sys, hilum.radiograph as r;"
        "print(r.DECODER_DIGEST, sorted({'pydicom', 'torch', 'pandas'} & set(sys.modules)))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout
    assert output.split(maxsplit=1) == [DECODER_DIGEST, "[]\n"]


def test_bounds_are_exported() -> None:
    for name in ("MAX_BYTES", "MAX_PIXELS", "MIN_SIDE_PX", "MAX_ASPECT"):
        assert getattr(radiograph, name) == getattr(refusals, name)
