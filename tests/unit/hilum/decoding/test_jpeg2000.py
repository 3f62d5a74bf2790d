"""JPEG 2000 headers that would cost a decoder far more than their picture."""

import struct
from typing import Any

import numpy as np
import pytest

from hilum.decoding.jpeg2000 import check_jpeg2000
from hilum.decoding.refusals import RadiographError
from tests.support.image_files import drawn_picture, encoded

PICTURE = drawn_picture(300, 400)


def codestream(**options: Any) -> bytes:
    """Return the picture as a bare JPEG 2000 codestream."""
    return encoded(PICTURE, "JPEG2000", no_jp2=True, **options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"irreversible": True},
        {"tile_size": (128, 128)},
        {"precinct_size": (128, 128)},
        {"codeblock_size": (32, 32)},
        {"quality_layers": [40, 20, 5]},
        {"progression": "RLCP", "num_resolutions": 3},
        {"comment": b"written by a test"},
    ],
    ids=str,
)
def test_what_encoders_write_is_let_through(options: dict[str, Any]) -> None:
    check_jpeg2000(codestream(**options), 300, 400)


def with_main_segment(marker: int, content: bytes) -> bytes:
    """Return the codestream with one more segment in its main header."""
    data = codestream()
    start = data.index(b"\xff\x90")
    return data[:start] + struct.pack(">HH", marker, len(content) + 2) + content + data[start:]


def with_tile_segment(marker: int, content: bytes) -> bytes:
    """Return the codestream with one more segment in the header of its tile."""
    data = codestream()
    start = data.index(b"\xff\x93")
    return data[:start] + struct.pack(">HH", marker, len(content) + 2) + content + data[start:]


def with_coding(offset: int, content: bytes) -> bytes:
    """Return the codestream with bytes of its coding style changed."""
    data = codestream()
    start = data.index(b"\xff\x52") + 4 + offset
    return data[:start] + content + data[start + len(content) :]


REFUSED = {
    "many tiles": ("corrupt", codestream(tile_size=(8, 8))),
    "many layers": ("unsupported_format", with_coding(2, struct.pack(">H", 101))),
    "another size": ("corrupt", encoded(np.zeros((400, 301), np.uint8), "JPEG2000", no_jp2=True)),
    "colour": ("unsupported_format", encoded(np.zeros((400, 300, 3), np.uint8), "JPEG2000", no_jp2=True)),
    "coding of one component": ("unsupported_format", with_main_segment(0xFF53, bytes(7))),
    "order of progressions": ("unsupported_format", with_main_segment(0xFF5F, bytes(7))),
    "coding of one tile": ("unsupported_format", with_tile_segment(0xFF52, bytes(10))),
    "boxed file": ("corrupt", encoded(PICTURE, "JPEG2000", no_jp2=False)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name: str) -> None:
    reason, data = REFUSED[name]
    with pytest.raises(RadiographError) as caught:
        check_jpeg2000(data, 300, 400)
    assert caught.value.reason == reason


LARGE = encoded(np.zeros((2000, 2000), np.uint8), "JPEG2000", no_jp2=True)


@pytest.mark.parametrize(
    "options", [{"codeblock_size": (4, 4)}, {"precinct_size": (8, 8), "codeblock_size": (4, 4)}]
)
def test_millions_of_code_blocks_are_refused(options: dict[str, Any]) -> None:
    check_jpeg2000(LARGE, 2000, 2000)
    many = encoded(np.zeros((2000, 2000), np.uint8), "JPEG2000", no_jp2=True, **options)
    with pytest.raises(RadiographError) as caught:
        check_jpeg2000(many, 2000, 2000)
    assert caught.value.reason == "unsupported_format"
