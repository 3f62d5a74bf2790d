"""Asks a front door about a table of images and answers with a table, for `mlflow deployments predict`."""

import base64
import binascii
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from hilum.contract import IMAGE_BYTES, LABELS
from hilum.errors import HilumError, UsageError
from hilum.operating_point import OperatingPoint
from training.promote.triton_control import TritonControl
from training.repository.front_door import read_served_release

PATH_COLUMN = "path"
BYTES_COLUMN = IMAGE_BYTES.name

ANSWER_COLUMNS = (
    "release",
    "accepted",
    "valid_probability",
    *(f"probability_{label}" for label in LABELS),
    "finding",
    "error",
)
"""Columns of the answer; what an image has no answer for is None."""


def answer_table(triton: TritonControl, door: str, inputs: Any) -> pd.DataFrame:
    """Return one row of answers for each row of images, under the same index.

    An image that cannot be screened has its `error`, and does not stop the others.

    Args:
        triton: the server.
        door: the front door to ask.
        inputs: a DataFrame, or what makes one, with the column `path` (files on this machine) or
            `image_bytes` (bytes, or base64 text: JSON has no bytes).

    Raises:
        UsageError: it has neither column, or both.
    """
    images = inputs if isinstance(inputs, pd.DataFrame) else pd.DataFrame(inputs)
    columns = [name for name in (PATH_COLUMN, BYTES_COLUMN) if name in images]
    if len(columns) != 1:
        raise UsageError(
            f"Expected images in one of the columns {PATH_COLUMN} and {BYTES_COLUMN}, found "
            f"{', '.join(map(str, images.columns)) or 'no column'}."
        )
    read = _read_file if columns == [PATH_COLUMN] else _read_bytes
    points: dict[int, OperatingPoint] = {}
    rows = [_answer(triton, door, read, value, points) for value in images[columns[0]]]
    return pd.DataFrame(rows, index=images.index, columns=list(ANSWER_COLUMNS), dtype=object)


def _answer(
    triton: TritonControl,
    door: str,
    read: Callable[[object], bytes],
    value: object,
    points: dict[int, OperatingPoint],
) -> Mapping[str, Any]:
    """Return the row of one image."""
    try:
        answer = triton.screen(read(value), door=door)
        if answer.release not in points:
            release = read_served_release(triton.config(door, answer.release))
            points[answer.release] = release.operating_point
    except HilumError as error:
        return {"error": str(error)}
    record = {
        "release": answer.release,
        "accepted": answer.accepted,
        "valid_probability": answer.valid_probability,
        "finding": points[answer.release].finding(answer.probabilities),
    }
    if answer.accepted:
        record |= {f"probability_{name}": p for name, p in zip(LABELS, answer.probabilities, strict=True)}
    return record


def _read_file(value: object) -> bytes:
    try:
        return Path(str(value)).read_bytes()
    except OSError as error:
        raise UsageError(f"{value} cannot be read: {error.strerror or error}.") from error


def _read_bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return base64.b64decode(str(value), validate=True)
    except binascii.Error as error:
        raise UsageError(f"{BYTES_COLUMN} must hold bytes, or base64 text: {error}.") from error
