"""Any bytes give a canonical radiograph or a `RadiographError`, for any picture the right one."""

import os
import random
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.contract import RADIOGRAPH
from hilum.radiograph import REASONS, RadiographError, decode_radiograph
from tests.support.image_files import dicom_file, drawn_picture, encoded, one_of_each, png_chunk

EXAMPLES = int(os.environ.get("HILUM_TEST_EXAMPLES", "400"))
"""Examples per property; some thousand, now and then, shake out more."""

VALID = one_of_each()

SIGNATURES = (
    *(
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"II*\0\x08\0\0\0",
        b"MM\0*\0\0\0\x08",
        b"BM",
        b"RIFF\0\0\0\0WEBPVP8 ",
    ),
    *(bytes(128) + b"DICM\x02\0\x10\0UI", b"\x08\0\x16\0", b"GIF89a", b"%PDF-1.7", b"PK\x03\x04"),
)

TELLING = (
    b"\xff\xff\xff\xff",
    bytes(4),
    b"\x7f\xff\xff\xff",
    b"\xff\xd9",
    b"\xff\xda\0\x08",
    b"\xfe\xff\0\xe0",
)
"""Bytes that mean something in one format or another."""


def assert_refused_or_decoded(data: bytes) -> None:
    """Check that `data` gives a radiograph or the one error that is documented."""
    refusal = None
    try:
        radiograph = decode_radiograph(data)
    except RadiographError as error:
        refusal = error
    if refusal is None:
        assert radiograph.shape == RADIOGRAPH.shape
        assert radiograph.dtype == np.uint8
    else:
        assert refusal.reason in REASONS
        assert refusal.__context__ is None or refusal.__suppress_context__


@settings(max_examples=EXAMPLES, deadline=20_000)
@given(st.binary(max_size=4000))
def test_random_bytes(data: bytes) -> None:
    assert_refused_or_decoded(data)


@settings(max_examples=EXAMPLES, deadline=20_000)
@given(st.sampled_from(SIGNATURES), st.binary(max_size=4000))
def test_random_bytes_after_a_signature(signature: bytes, data: bytes) -> None:
    assert_refused_or_decoded(signature + data)


def mutated(data: bytes, seed: int) -> bytes:
    """Return `data` with a few bytes flipped, set, inserted, cut or copied: more often near its start."""
    draw = random.Random(seed)
    changed = bytearray(data)
    for _ in range(draw.choice([1, 1, 1, 2, 3, 8])):
        size = len(changed)
        position = draw.randrange(min(size, 400) if draw.random() < 0.7 else size) if size else 0
        kind = draw.choice(["flip", "set", "telling", "insert", "cut", "end", "copy"])
        if kind == "flip" and size:
            changed[position] ^= 1 << draw.randrange(8)
        elif kind == "set" and size:
            changed[position] = draw.randrange(256)
        elif kind == "telling":
            some = draw.choice(TELLING)
            changed[position : position + len(some)] = some
        elif kind == "insert":
            changed[position:position] = draw.randbytes(draw.randrange(20))
        elif kind == "cut":
            del changed[position : position + draw.randrange(30)]
        elif kind == "end" and draw.random() < 0.3:
            del changed[position:]
        elif kind == "copy":
            changed[position:position] = changed[position // 2 : position // 2 + draw.randrange(200)]
    return bytes(changed)


@pytest.mark.parametrize("name", VALID)
@settings(max_examples=EXAMPLES // 4, deadline=20_000)
@given(seed=st.integers(0, 2**32))
def test_mutated_files(name: str, seed: int) -> None:
    assert_refused_or_decoded(mutated(VALID[name], seed))


@settings(max_examples=EXAMPLES // 2, deadline=20_000)
@given(
    *(st.sampled_from([32, 33, 64, 90]) for _ in range(2)),
    st.sampled_from([1, 2, 4, 8, 16, 3]),
    st.sampled_from([0, 2, 3, 4, 6, 5]),
    st.integers(0, 1),
    st.binary(max_size=600),
    st.binary(max_size=40),
)
def test_png_of_any_header_with_true_checksums(
    width: int, height: int, depth: int, colour: int, interlace: int, pixels: bytes, palette: bytes
) -> None:
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, colour, 0, 0, interlace])
    chunks = [
        png_chunk(b"IHDR", header),
        png_chunk(b"PLTE", palette),
        png_chunk(b"IDAT", zlib.compress(pixels * 50)),
        png_chunk(b"IEND", b""),
    ]
    assert_refused_or_decoded(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


@settings(max_examples=EXAMPLES // 4, deadline=20_000)
@given(
    center=st.floats(-1e5, 1e5),
    width=st.floats(-1e5, 1e5),
    slope=st.floats(-1e5, 1e5),
    intercept=st.floats(-1e5, 1e5),
    bits_stored=st.integers(9, 16),
    function=st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID", "OTHER"]),
)
def test_dicom_of_any_window_is_never_blank(
    center: float, width: float, slope: float, intercept: float, bits_stored: int, function: str
) -> None:
    pixels = drawn_picture().astype(np.uint16) * 2
    data = dicom_file(
        pixels,
        BitsStored=bits_stored,
        WindowCenter=f"{center:.6g}",
        WindowWidth=f"{width:.6g}",
        RescaleSlope=f"{slope:.6g}",
        RescaleIntercept=f"{intercept:.6g}",
        VOILUTFunction=function,
    )
    assert np.ptp(decode_radiograph(data)[0, :, 40:216]) > 0


@settings(max_examples=EXAMPLES // 4, deadline=20_000)
@given(st.integers(32, 700), st.integers(32, 700))
def test_every_size_is_fitted_and_centred(width: int, height: int) -> None:
    if max(width, height) > 8 * min(width, height):
        width = height
    shown = decode_radiograph(encoded(np.full((height, width), 200, np.uint8), "PNG"))[0]
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    assert (shown[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] == 200).all()
    for filled, side in ((rows, height), (columns, width)):
        assert len(filled) == round(side * 256 / max(width, height))
        assert 0 <= (255 - filled[-1]) - filled[0] <= 1


@settings(max_examples=EXAMPLES // 8, deadline=20_000)
@given(st.integers(32, 256), st.integers(32, 256))
def test_turning_the_picture_turns_the_radiograph(width: int, height: int) -> None:
    picture = drawn_picture(width, height)
    upright = decode_radiograph(encoded(picture, "PNG"))[0].astype(int)
    turned = decode_radiograph(encoded(np.ascontiguousarray(picture.T), "PNG"))[0].astype(int)
    assert np.abs(turned.T - upright).max() <= 3
