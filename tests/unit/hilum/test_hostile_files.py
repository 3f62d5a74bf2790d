"""The hostile files behave as their index says, and nothing that stands in a file gets out of it."""

import csv
import logging
import os
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from hilum.radiograph import RadiographError, decode_radiograph
from tests.support.data import shared_data
from tests.support.image_files import PATIENT_NAME, dicom_file, drawn_picture

MARKER = PATIENT_NAME.split("^")[0]
"""Stands in `identifying_name.dcm` as well."""

DATA = shared_data()
needs_hostile_files = pytest.mark.skipif(
    DATA is None or not (DATA / "hostile").is_dir(), reason="no folder hostile/ under HILUM_DATA"
)


def hostile(name: str) -> bytes:
    """Return one hostile file."""
    assert DATA is not None
    return (DATA / "hostile" / name).read_bytes()


def decoded(name: str) -> npt.NDArray[np.int64]:
    """Return the radiograph of a hostile file as integers that do not wrap."""
    return np.asarray(decode_radiograph(hostile(name))[0], np.int64)


def index() -> list[dict[str, str]]:
    """Return the rows of the index; none on a machine without it."""
    path = DATA / "hostile" / "index.csv" if DATA else Path(os.devnull)
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@needs_hostile_files
@pytest.mark.parametrize("row", index(), ids=lambda row: row["file"][:40].encode("ascii", "replace").decode())
def test_hostile_file_behaves_as_its_index_says(row: dict[str, str]) -> None:
    try:
        decode_radiograph(hostile(row["body"]))
        outcome = "accept"
    except RadiographError:
        outcome = "reject"
    assert outcome in (row["expected"], row["also_ok"]), row["note"]


@needs_hostile_files
@pytest.mark.parametrize(
    "name", ["picture.bmp", "picture.tiff", "picture.webp", "float32.tiff", "no_preamble.dcm"]
)
def test_optional_formats_are_decoded(name: str) -> None:
    assert np.corrcoef(decoded(name).ravel(), decoded("control_gray.png").ravel())[0, 1] > 0.99


@needs_hostile_files
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("picture.gif", "unsupported_format"),
        ("animated.gif", "unsupported_format"),
        ("multipage.tiff", "multi_frame"),
        ("multiframe.dcm", "multi_frame"),
        ("strip_20000x8.png", "too_small"),
        ("bomb_30000x30000.png", "too_many_pixels"),
        ("bomb_header_only.jpg", "too_many_pixels"),
        ("huge_size.dcm", "too_many_pixels"),
        ("truncated_half.jpg", "corrupt"),
        ("truncated_half.png", "corrupt"),
        ("truncated_pixels.dcm", "corrupt"),
        ("png_bad_crc.png", "corrupt"),
        ("png_no_data.png", "no_pixels"),
        ("no_pixel_data.dcm", "no_pixels"),
        ("zero_byte.dcm", "empty"),
        ("bomb.zip", "unsupported_format"),
        ("exe_named.png", "unsupported_format"),
    ],
)
def test_refusal_names_its_reason(name: str, reason: str) -> None:
    with pytest.raises(RadiographError) as caught:
        decode_radiograph(hostile(name))
    assert caught.value.reason == reason


@needs_hostile_files
@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("control_gray.jpg", 2),
        ("png_palette.png", 3),
        ("png_rgba.png", 0),
        ("png_rgba_transparent.png", 0),
        ("png_gray_alpha.png", 0),
        ("jpeg_rgb.jpg", 2),
        ("jpeg_cmyk.jpg", 2),
        ("jpeg_progressive.jpg", 2),
        ("jpeg_exif_rotated.jpg", 2),
        ("jpeg_trailing_garbage.jpg", 2),
        ("jpeg_zip_polyglot.jpg", 2),
        ("large_4096.jpg", 3),
        ("png_gray16.png", 3),
        ("png_gray16_12bit_range.png", 3),
        ("float32.tiff", 3),
        ("mono2.dcm", 0),
        ("mono1.dcm", 0),
        ("dicom_no_suffix", 0),
        ("no_preamble.dcm", 0),
        ("identifying_name.dcm", 0),
        ("mono2_12bit_window.dcm", 3),
        ("mono1_12bit_window.dcm", 3),
        ("signed16.dcm", 3),
        ("window_width_zero.dcm", 3),
        ("jpeg_baseline.dcm", 2),
    ],
)
def test_accepted_file_shows_the_radiograph_itself(name: str, tolerance: float) -> None:
    # Upright, not dark, not white, not inverted: as the control shows it, apart from compression and range.
    assert np.abs(decoded(name) - decoded("control_gray.png")).mean() <= tolerance


@needs_hostile_files
def test_control_pictures_keep_their_orientation() -> None:
    upright = decoded("control_gray.png")
    assert np.abs(decoded("control_upside_down.png") - upright[::-1, ::-1]).max() <= 2
    assert (
        min(np.abs(decoded("control_rotated_90.png") - np.rot90(upright, turn)).max() for turn in (1, 3)) <= 2
    )


@needs_hostile_files
@pytest.mark.parametrize(("name", "gray"), [("all_black.png", 0), ("all_white.png", 255)])
def test_flat_pictures_are_shown_flat(name: str, gray: int) -> None:
    assert (decoded(name) == gray).all()


PHI_IN_ELEMENTS_THAT_ARE_READ = {
    "WindowCenter": MARKER,
    "WindowWidth": MARKER,
    "RescaleSlope": MARKER,
    "NumberOfFrames": MARKER,
    "PhotometricInterpretation": MARKER,
    "VOILUTFunction": MARKER,
    "SpecificCharacterSet": MARKER,
}


@pytest.mark.parametrize("keyword", PHI_IN_ELEMENTS_THAT_ARE_READ)
def test_values_stay_inside(
    keyword: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    caplog.set_level(logging.DEBUG)
    placeholder = "8" * len(MARKER)
    is_number = keyword in ("WindowCenter", "WindowWidth", "RescaleSlope", "NumberOfFrames")
    data = dicom_file(drawn_picture(), **{keyword: placeholder[:12] if is_number else placeholder})
    value = (placeholder[:12] if is_number else placeholder).encode()
    data = data.replace(value, MARKER[: len(value)].encode())
    said = ""
    try:
        decode_radiograph(data)
    except RadiographError as error:
        said = "".join(traceback.format_exception(error)) + str(error) + repr(error.__dict__)
    output = capfd.readouterr()
    heard = [said, caplog.text, output.out, output.err, *(str(warning.message) for warning in recwarn)]
    assert not any("HOSTILE" in text for text in heard)


@needs_hostile_files
def test_damaged_header_keeps_the_name_inside(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    whole = hostile("identifying_name.dcm")
    header = whole.index(b"\xe0\x7f\x10\x00")
    for position in range(128, header, 3):
        for value in (0, 0x41, 0xFF):
            damaged = whole[:position] + bytes([value]) + whole[position + 1 :]
            try:
                decode_radiograph(damaged)
            except RadiographError as error:
                assert MARKER not in "".join(traceback.format_exception(error))  # noqa: PT017
    assert MARKER not in caplog.text


@needs_hostile_files
def test_a_process_that_decodes_everything_prints_nothing() -> None:
    program = (
        "import logging, pathlib, sys, warnings\n"
        "from hilum.radiograph import RadiographError, decode_radiograph\n"
        "logging.basicConfig(level=logging.WARNING)\n"
        "warnings.simplefilter('always')\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"
        "    try: decode_radiograph(path.read_bytes())\n"
        "    except RadiographError: pass\n"
    )
    assert DATA is not None
    done = subprocess.run(
        [sys.executable, "-c", program, str(DATA / "hostile")], check=True, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("", "")
