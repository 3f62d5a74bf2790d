"""Which shade every stored value of a DICOM is shown in: rescaling, look-up tables and windows, by pydicom.

Worked out once for all the values that a pixel can have, at most 65,536, so that a picture of any size
costs one table look-up per pixel.
"""

from collections.abc import Iterator
from itertools import chain

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi, apply_windowing

from hilum.decoding.dicom_elements import look_up_table, number
from hilum.decoding.dicom_frames import Layout
from hilum.decoding.gray_levels import to_gray
from hilum.decoding.refusals import CorruptFileError

Numbers = npt.NDArray[np.float64]
Rendering = tuple[Numbers, float, float]
"""Numbers for all the values that a pixel can have, and which of them are black and white."""

_FAR = 1e30
"""Below and above any window."""


def display_table(dataset: Dataset, layout: Layout, lowest: int, highest: int) -> npt.NDArray[np.uint8]:
    """Return the gray of every value that a pixel can have, counted from `layout.least`.

    The VOI table, else the window, says which values are black and white. Where neither is there, or
    neither leaves any difference to see, pixels of more than 8 bits are scaled from their own range.

    Args:
        dataset: the elements of the file; changed on the way.
        layout: how pixels are stored.
        lowest: the least value that occurs.
        highest: the greatest value that occurs.
    """
    dataset.BitsStored, dataset.PixelRepresentation = layout.bits_stored, int(layout.is_signed)
    stored = layout.least + np.arange(2**layout.bits_stored)
    lowest, highest = np.clip((lowest, highest), stored[0], stored[-1])
    present = slice(lowest - layout.least, highest - layout.least + 1)
    with np.errstate(all="ignore"):
        values = _rescaled(stored, dataset)
        for shown, low, high in chain(_asked_for(dataset, values), _own_ranges(values, stored, present)):
            gray = to_gray(shown, low, high)
            if np.ptp(gray[present]) > 0:
                break
    return gray


def _rescaled(stored: npt.NDArray[np.int64], dataset: Dataset) -> Numbers:
    """Return what stored values mean: by the modality table, or by slope and intercept."""
    look_up_table(dataset, "ModalityLUTSequence")
    _keep_numbers(dataset, "RescaleSlope", "RescaleIntercept")
    values: Numbers = apply_modality_lut(stored, dataset).astype(np.float64)
    if not np.isfinite(np.ptp(values)):
        raise CorruptFileError("DICOM", "its rescale slope and intercept make no sense")
    return values


def _asked_for(dataset: Dataset, values: Numbers) -> Iterator[Rendering]:
    """Yield the ways to show values that the file asks for, best first."""
    table = look_up_table(dataset, "VOILUTSequence")
    if table is not None:
        first, length = table
        entries = apply_voi(first + np.arange(length), dataset).astype(np.float64)
        index = np.rint(values.clip(first, first + length - 1)).astype(np.int64) - first
        yield entries[index], entries.min(), entries.max()
    _keep_numbers(dataset, "WindowCenter", "WindowWidth")
    if "WindowCenter" in dataset:
        try:
            shown = apply_windowing(np.append(values, (-_FAR, _FAR)), dataset)
        except ValueError:  # a width of 0, or a function that is none of the standard's
            return
        yield shown[:-2], shown[-2], shown[-1]


def _own_ranges(values: Numbers, stored: npt.NDArray[np.int64], present: slice) -> Iterator[Rendering]:
    """Yield the whole range of 8 bits, else the range that occurs; last without a slope next to 0."""
    for numbers in (values, stored.astype(np.float64)):
        own = numbers if len(numbers) <= 2**8 else numbers[present]
        yield numbers, own.min(), own.max()


def _keep_numbers(dataset: Dataset, *keywords: str) -> None:
    """Reduce elements that belong together to their first values; remove them all where one is unusable."""
    values = [number(dataset, keyword) for keyword in keywords]
    for keyword, value in zip(keywords, values, strict=True):
        if None not in values:
            setattr(dataset, keyword, value)
        elif keyword in dataset:
            del dataset[keyword]
