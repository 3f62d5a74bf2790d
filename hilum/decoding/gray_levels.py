"""Numbers of any range to 8-bit gray, a few rows at a time so that memory stays near the result's size."""

from typing import Any

import numpy as np
import numpy.typing as npt

_ROWS_AT_ONCE = 64
"""Small enough for the processor's cache."""


def to_gray(values: npt.NDArray[np.float64], low: float, high: float) -> npt.NDArray[np.uint8]:
    """Return numbers scaled so that `low` is 0 and `high` is 255, rounded; all 0 where they are equal.

    `high` may be the lower number: the scale then runs downwards. Numbers outside are clipped.
    """
    if low == high:
        return np.zeros(values.shape, np.uint8)
    scaled = (values - low) / (high - low) * 255 + 0.5
    return scaled.clip(0, 255).astype(np.uint8)


def look_up(
    table: npt.NDArray[np.uint8], index: npt.NDArray[np.unsignedinteger[Any]]
) -> npt.NDArray[np.uint8]:
    """Return `table[index]` for (H, W) unsigned integers; those past the table's end take its last value."""
    gray = np.empty(index.shape, np.uint8)
    for start in range(0, len(index), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        np.take(table, index[rows], mode="clip", out=gray[rows])
    return gray


def stretch(values: npt.NDArray[np.number[Any]]) -> npt.NDArray[np.uint8]:
    """Return (H, W) integers or floats scaled from their own range to 0..255; all 0 where all are equal.

    Infinities take the ends of the range of the finite numbers, not-a-number takes the lower end.
    """
    finite = values if values.dtype.kind in "iu" else values[np.isfinite(values)]
    if finite.size == 0:
        return np.zeros(values.shape, np.uint8)
    low, high = float(finite.min()), float(finite.max())
    if values.dtype == np.uint16:
        return look_up(to_gray(np.arange(high + 1), low, high), values.astype(np.uint16, copy=False))
    gray = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        numbers = np.nan_to_num(values[rows].astype(np.float64), nan=low, posinf=high, neginf=low)
        gray[rows] = to_gray(numbers, low, high)
    return gray
