"""Test images, where their data set lies on this machine. Pictures are read when asked for and never kept."""

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import SourceLyingError
from dashboard.sources.data_sets_api import SOURCE, folders, table
from hilum.radiograph import RadiographError, decode_radiograph


def picture(path: str, source: str) -> NDArray[np.uint8] | None:
    """Return a test image as the networks see it: (256, 256).

    Args:
        path: as the evaluation names it, relative to its data set.
        source: where the image comes from; one of the same name from elsewhere is another image.

    Returns:
        None where no data set on this machine lists it.

    Raises:
        SourceError: it is listed, but cannot be read; or a data set's table cannot.
    """
    image = content(path, source)
    if image is None:
        return None
    try:
        radiograph: NDArray[np.uint8] = decode_radiograph(image)[0]
    except RadiographError as error:
        raise SourceLyingError(SOURCE, path, type(error).__name__) from error
    return radiograph


def content(path: str, source: str) -> bytes | None:
    """Return the file of a test image as it is; arguments, None and errors are those of `picture`."""
    for folder in folders():
        frame, file = table(folder), folder / path
        is_listed = ((frame["path"] == path) & (frame["source"] == source)).any()
        if not is_listed or not file.resolve().is_relative_to(folder.resolve()):
            continue
        try:
            return file.read_bytes()
        except OSError as error:
            raise SourceLyingError(SOURCE, str(folder), type(error).__name__) from error
    return None
