"""Numbers to 8-bit gray, against the plain formula."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from hilum.decoding.gray_levels import look_up, stretch, to_gray

SHAPES = st_numpy.array_shapes(min_dims=2, max_dims=2, max_side=150)


@given(
    st.one_of(
        st_numpy.arrays(st.sampled_from([np.uint16, np.int16, np.int32]), SHAPES),
        st_numpy.arrays(np.float32, SHAPES),
    )
)
def test_stretch_fills_the_range_and_keeps_the_order(values: npt.NDArray[np.number[Any]]) -> None:
    gray = stretch(values)
    assert gray.shape == values.shape
    assert gray.dtype == np.uint8
    finite = values[np.isfinite(values)]
    if finite.size == 0 or finite.min() == finite.max():
        assert gray.max() == 0
        return
    shown = gray[np.isfinite(values)]
    assert (shown.min(), shown.max()) == (0, 255)
    order = np.argsort(finite.ravel(), kind="stable")
    assert (np.diff(shown.ravel()[order].astype(int)) >= 0).all()


def test_stretch_is_the_rounded_formula() -> None:
    values = np.arange(1000, 1700, dtype=np.uint16).reshape(7, 100)
    expected = ((values.astype(float) - 1000) * 255 / 699).round()
    assert np.abs(stretch(values) - expected).max() <= 1
    assert (stretch(values) == stretch(values.astype(np.float32))).all()


@pytest.mark.parametrize("byte_order", ["<u2", ">u2"])
def test_stretch_takes_either_byte_order(byte_order: str) -> None:
    values = np.arange(6000, dtype=np.uint16).reshape(60, 100)
    assert (stretch(values.astype(byte_order)) == stretch(values)).all()


def test_to_gray_may_run_downwards_and_clips() -> None:
    values = np.array([-5.0, 0.0, 127.5, 255.0, 300.0])
    assert to_gray(values, 255, 0).tolist() == [255, 255, 128, 0, 0]
    assert to_gray(values, 7, 7).tolist() == [0] * 5


def test_look_up_takes_the_last_value_past_the_end() -> None:
    table = np.array([9, 8, 7], np.uint8)
    index = np.array([[0, 1], [2, 65535]] * 100, np.uint16)
    assert (look_up(table, index) == np.array([[9, 8], [7, 7]] * 100)).all()
