"""DICOM: shades as the standard has them, and refusals."""

import struct
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    RLELossless,
)

from hilum.radiograph import RadiographError, decode_radiograph
from tests.support.image_files import (
    compressed_dicom,
    dicom_dataset,
    dicom_file,
    drawn_picture,
    encoded,
    saved,
)

SIDE = 256
RAMP_12_BIT = (np.arange(SIDE * SIDE).reshape(SIDE, SIDE) // 16).astype(np.uint16)
"""Every value of 12 bits, at the canonical size: what is decoded can be compared pixel by pixel."""

Numbers = npt.NDArray[np.float64]


def decoded(data: bytes) -> npt.NDArray[np.int64]:
    """Return the (256, 256) radiograph as integers that do not wrap."""
    return np.asarray(decode_radiograph(data)[0], np.int64)


def refusal(data: bytes) -> RadiographError:
    """Return the error with which `data` is refused."""
    with pytest.raises(RadiographError) as caught:
        decode_radiograph(data)
    return caught.value


def windowed(values: Numbers, center: float, width: float) -> Numbers:
    """Return gray by the standard's linear function, PS3.3 C.11.2.1.2.1, for an output of 0 to 255."""
    inner = ((values - (center - 0.5)) / (width - 1) + 0.5) * 255
    low, high = center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2
    return np.asarray(np.where(values <= low, 0, np.where(values > high, 255, inner)))


def stretched(values: Numbers) -> Numbers:
    """Return values scaled from their own range to 0..255."""
    return np.asarray((values - values.min()) / (values.max() - values.min()) * 255)


@pytest.mark.parametrize(("center", "width"), [(2048, 4096), (1000, 500), (50, 3000), (2000.5, 1)])
def test_window_is_the_standards_linear_function(center: float, width: float) -> None:
    data = dicom_file(RAMP_12_BIT, BitsStored=12, WindowCenter=center, WindowWidth=width)
    with np.errstate(all="ignore"):
        expected = windowed(RAMP_12_BIT.astype(float), center, width)
    assert np.abs(decoded(data) - expected).max() <= 1


def test_window_is_in_rescaled_units() -> None:
    data = dicom_file(
        RAMP_12_BIT,
        BitsStored=12,
        RescaleSlope=0.5,
        RescaleIntercept=-100,
        WindowCenter=900,
        WindowWidth=1500,
    )
    assert np.abs(decoded(data) - windowed(RAMP_12_BIT * 0.5 - 100, 900, 1500)).max() <= 1


def test_falling_slope_turns_black_and_white_round() -> None:
    data = dicom_file(
        RAMP_12_BIT,
        BitsStored=12,
        RescaleSlope=-1,
        RescaleIntercept=4095,
        WindowCenter=2000,
        WindowWidth=3000,
    )
    assert np.abs(decoded(data) - windowed(4095.0 - RAMP_12_BIT, 2000, 3000)).max() <= 1


def test_sigmoid_window_is_the_standards() -> None:
    data = dicom_file(
        RAMP_12_BIT, BitsStored=12, WindowCenter=2000, WindowWidth=2000, VOILUTFunction="SIGMOID"
    )
    expected = 255 / (1 + np.exp(-4 * (RAMP_12_BIT - 2000.0) / 2000))
    assert np.abs(decoded(data) - expected).max() <= 1


def test_first_of_several_windows_is_used() -> None:
    several = dicom_file(RAMP_12_BIT, BitsStored=12, WindowCenter=[1000, 3000], WindowWidth=[800, 100])
    first = dicom_file(RAMP_12_BIT, BitsStored=12, WindowCenter=1000, WindowWidth=800)
    assert (decoded(several) == decoded(first)).all()


@pytest.mark.parametrize(
    "elements",
    [
        {},
        {"WindowCenter": 100, "WindowWidth": 0},
        {"WindowCenter": 100, "WindowWidth": -5},
        {"WindowCenter": 100, "WindowWidth": 50, "VOILUTFunction": "CUBIC"},
        {"WindowCenter": 100},
        {"WindowCenter": "", "WindowWidth": ""},
        {"WindowCenter": 100, "WindowWidth": 1e308},
        {"WindowCenter": 90000, "WindowWidth": 10},
    ],
    ids=["none", "zero", "negative", "unknown", "half", "blank", "endless", "shows nothing"],
)
def test_without_a_usable_window_the_own_range_is_shown(elements: dict[str, Any]) -> None:
    narrow = RAMP_12_BIT // 4 + 300
    data = dicom_file(narrow, BitsStored=12, **elements)
    assert np.abs(decoded(data) - stretched(narrow.astype(float))).max() <= 1


def test_8_bits_without_a_window_are_shown_as_they_are() -> None:
    dim = (RAMP_12_BIT // 40 + 20).astype(np.uint8)
    assert (decoded(dicom_file(dim)) == dim).all()


def test_constant_picture_is_black() -> None:
    assert decoded(dicom_file(np.full((64, 64), 700, np.uint16))).max() == 0


def test_monochrome1_is_the_inverse() -> None:
    options = {"BitsStored": 12, "WindowCenter": 1500, "WindowWidth": 2000}
    upright = decoded(dicom_file(RAMP_12_BIT, **options))
    inverse = decoded(dicom_file(RAMP_12_BIT, PhotometricInterpretation="MONOCHROME1", **options))
    assert (inverse == 255 - upright).all()


@pytest.mark.parametrize("bits_stored", [12, 16])
def test_signed_pixels_keep_their_order(bits_stored: int) -> None:
    signed = (RAMP_12_BIT.astype(np.int16) - 2048).astype(np.int16)
    assert (
        np.abs(decoded(dicom_file(signed, BitsStored=bits_stored)) - stretched(signed.astype(float))).max()
        <= 1
    )


def test_signed_pixels_with_a_window() -> None:
    signed = (RAMP_12_BIT.astype(np.int16) - 2048).astype(np.int16)
    data = dicom_file(
        signed, BitsStored=12, RescaleSlope=1, RescaleIntercept=1024, WindowCenter=0, WindowWidth=900
    )
    assert np.abs(decoded(data) - windowed(signed + 1024.0, 0, 900)).max() <= 1


def test_bits_beyond_those_stored_are_ignored() -> None:
    plain = dicom_file(RAMP_12_BIT, BitsStored=12)
    overlay = dicom_file(RAMP_12_BIT | 0x8000, BitsStored=12)
    left_aligned = dicom_file(RAMP_12_BIT << 4, BitsStored=12, HighBit=15)
    assert (decoded(overlay) == decoded(plain)).all()
    assert (decoded(left_aligned) == decoded(plain)).all()


def lut(entries: npt.NDArray[Any], first: int, bits: int) -> Sequence:
    """Return a sequence of one look-up table."""
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 2**16, first, bits]
    item.LUTData = entries.astype("<u2").tobytes()
    item["LUTDescriptor"].VR, item["LUTData"].VR = "US", "OW"
    return Sequence([item])


@pytest.mark.parametrize(("bits", "top"), [(8, 255), (10, 1023), (12, 4095), (16, 65535)])
@pytest.mark.parametrize("ending", ["known length", "delimiter"])
def test_voi_table_maps_values_and_clips_outside(bits: int, top: int, ending: str) -> None:
    first, length = 500, 2000
    entries = np.linspace(0, 1, length) ** 2 * top
    dataset = dicom_dataset(RAMP_12_BIT, BitsStored=12, VOILUTSequence=lut(entries.astype(int), first, bits))
    dataset["VOILUTSequence"].is_undefined_length = ending == "delimiter"
    position = np.clip(RAMP_12_BIT.astype(float) - first, 0, length - 1)
    expected = stretched(np.floor(entries)[position.astype(int)])
    assert np.abs(decoded(saved(dataset)) - expected).max() <= 1


def test_voi_table_goes_before_the_window_and_may_fall() -> None:
    falling = lut(np.arange(4096)[::-1], 0, 12)
    data = dicom_file(RAMP_12_BIT, BitsStored=12, VOILUTSequence=falling, WindowCenter=5, WindowWidth=9)
    assert np.abs(decoded(data) - (255 - stretched(RAMP_12_BIT.astype(float)))).max() <= 1


def test_voi_table_in_implicit_vr() -> None:
    table = lut(np.arange(4096)[::-1], 0, 12)
    explicit = dicom_dataset(RAMP_12_BIT, BitsStored=12, VOILUTSequence=table)
    expected = decoded(saved(explicit))
    assert (decoded(saved(explicit, implicit_vr=True)) == expected).all()


def test_modality_table_comes_before_the_window() -> None:
    table = lut(np.arange(4096) * 2, 0, 16)
    data = dicom_file(
        RAMP_12_BIT, BitsStored=12, ModalityLUTSequence=table, WindowCenter=4000, WindowWidth=3000
    )
    assert np.abs(decoded(data) - windowed(RAMP_12_BIT * 2.0, 4000, 3000)).max() <= 1


@pytest.mark.parametrize(
    ("syntax", "dtype"),
    [
        (RLELossless, np.uint8),
        (RLELossless, np.uint16),
        (RLELossless, np.int16),
        (JPEG2000Lossless, np.uint8),
        (JPEG2000Lossless, np.uint16),
    ],
)
def test_lossless_compression_shows_what_plain_pixels_show(syntax: str, dtype: type) -> None:
    pixels: npt.NDArray[Any] = (
        drawn_picture(100, 120).astype(int) * (1 if dtype is np.uint8 else 100)
    ).astype(dtype)
    assert (decoded(compressed_dicom(pixels, syntax)) == decoded(dicom_file(pixels))).all()


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGExtended12Bit])
def test_jpeg_shows_nearly_what_plain_pixels_show(syntax: str) -> None:
    pixels = drawn_picture(300, 400)
    data = compressed_dicom(
        pixels, syntax, encoded(pixels, "JPEG", quality=95), WindowCenter=120, WindowWidth=200
    )
    plain = dicom_file(pixels, WindowCenter=120, WindowWidth=200)
    assert np.abs(decoded(data) - decoded(plain)).mean() < 1


def test_frame_in_several_fragments_is_put_together() -> None:
    pixels = drawn_picture()
    whole = compressed_dicom(pixels, JPEG2000Lossless)
    dataset = dicom_dataset(pixels)
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    frame = encoded(pixels, "JPEG2000", no_jp2=True)
    dataset.PixelData = encapsulate([frame], fragments_per_frame=3)
    dataset["PixelData"].is_undefined_length = True
    assert (decoded(saved(dataset)) == decoded(whole)).all()


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "no pixels": ("no_pixels", {"PixelData": None}),
    "several frames": ("multi_frame", {"NumberOfFrames": 3}),
    "colour": (
        "unsupported_format",
        {"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3, "PlanarConfiguration": 0},
    ),
    "palette": ("unsupported_format", {"PhotometricInterpretation": "PALETTE COLOR"}),
    "32 bits": ("unsupported_format", {"BitsAllocated": 32}),
    "bits that do not fit": ("corrupt", {"BitsStored": 12}),
    "fewer pixels than claimed": ("corrupt", {"Rows": 65}),
    "huge": ("too_many_pixels", {"Rows": 65535, "Columns": 65535}),
    "a row": ("too_small", {"Rows": 1}),
    "a strip": ("too_elongated", {"Rows": 33, "Columns": 3300}),
    "rows missing": ("corrupt", {"Rows": None}),
    "shades unknown": ("corrupt", {"PhotometricInterpretation": None}),
    "slope without end": ("corrupt", {"RescaleSlope": 1e308, "RescaleIntercept": 1e308}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name: str) -> None:
    reason, elements = REFUSED[name]
    assert refusal(dicom_file(drawn_picture(), **elements)).reason == reason


@pytest.mark.parametrize(
    "syntax", [DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, JPEGLosslessSV1, "1.2.3"]
)
def test_transfer_syntax_that_is_not_decoded_says_how_to_decompress(syntax: str) -> None:
    data = compressed_dicom(drawn_picture(), JPEGBaseline8Bit)
    name = JPEGBaseline8Bit.encode()
    start = data.index(name) - 8
    value = syntax.encode() + b"\0" * (len(syntax) % 2)
    element = struct.pack("<HH2sH", 2, 0x10, b"UI", len(value)) + value
    error = refusal(data[:start] + element + data[start + 8 + len(name) :])
    assert error.reason == "unsupported_format"
    assert "gdcmconv" in str(error)


def test_12_bit_jpeg_says_how_to_decompress() -> None:
    error = refusal(compressed_dicom(RAMP_12_BIT, JPEGExtended12Bit, encoded(drawn_picture(), "JPEG")))
    assert error.reason == "unsupported_format"
    assert "gdcmconv" in str(error)


def write_dataset_to(stream: BytesIO, dataset: Dataset, *, is_implicit: bool) -> None:
    """Write the elements alone: no preamble, no group 2."""
    file_like = DicomFileLike(stream)
    file_like.is_implicit_VR, file_like.is_little_endian = is_implicit, True
    write_dataset(file_like, dataset)


@pytest.mark.parametrize("kind", ["implicit", "explicit"])
def test_bare_data_set_without_any_header_is_decoded(kind: str) -> None:
    dataset = dicom_dataset(drawn_picture())
    stream = BytesIO()
    write_dataset_to(stream, dataset, is_implicit=kind == "implicit")
    assert stream.getvalue()[:2] == b"\x08\0"
    assert (decoded(stream.getvalue()) == decoded(saved(dataset))).all()


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEG2000Lossless])
@pytest.mark.parametrize("shape", [(64, 47), (640, 480), (32, 32)])
def test_compressed_picture_of_another_size_is_refused(syntax: str, shape: tuple[int, int]) -> None:
    options: dict[str, Any] = {"no_jp2": True} if syntax == JPEG2000Lossless else {}
    other = encoded(drawn_picture(shape[1], shape[0]), "JPEG2000" if options else "JPEG", **options)
    assert refusal(compressed_dicom(drawn_picture(), syntax, other)).reason == "corrupt"


@pytest.mark.parametrize("syntax", [RLELossless, JPEGBaseline8Bit, JPEG2000Lossless])
def test_compressed_picture_cut_short_is_refused(syntax: str) -> None:
    whole = compressed_dicom(drawn_picture(200, 200), syntax)
    start = whole.index(b"\xfe\xff\x00\xe0", whole.index(b"\xe0\x7f\x10\x00"))
    frame_start = whole.index(b"\xfe\xff\x00\xe0", start + 8)
    length = int.from_bytes(whole[frame_start + 4 : frame_start + 8], "little") // 2 & ~1
    frame = whole[frame_start + 8 : frame_start + 8 + length]
    halved = whole[: frame_start + 4] + length.to_bytes(4, "little") + frame + b"\xfe\xff\xdd\xe0\0\0\0\0"
    assert refusal(halved).reason == "corrupt"
