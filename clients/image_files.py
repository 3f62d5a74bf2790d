"""Which files of the caller's are sent, and how they are read.

A name only decides what is tried in a folder; what a file is, the server's decoder finds out
from its content.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from clients.errors import TooLargeError, UnreadableFileError
from hilum.errors import UsageError
from hilum.radiograph import MAX_BYTES

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".dcm", ".dicom")
)
"""Suffixes that are tried in a folder, in lower case; so are names without one, as DICOM often has."""

DICOM_INDEX = "DICOMDIR"
"""The table of contents that DICOM media carry; it holds no image."""


def find_images(paths: Iterable[Path]) -> list[Path]:
    """Return the files to screen: those named, and those in the folders named, sorted by name.

    Folders are searched to any depth. Hidden files and folders are left out, and so are files
    whose suffix says that they are no image; a file that is named itself is always tried.

    Raises:
        UsageError: nothing to screen was found.
        OSError: a folder cannot be listed.
    """
    paths = list(paths)
    images = [image for path in paths for image in (_walk(path) if path.is_dir() else [path])]
    if not images:
        raise UsageError(
            f"No image was found in {', '.join(map(str, paths))}. Looked for names without a suffix and for "
            f"{', '.join(sorted(IMAGE_SUFFIXES))}; name a file itself to have it tried whatever its suffix."
        )
    return images


def read_image(path: Path) -> bytes:
    """Return a file's content, refused before it is read if the server would refuse it for its size.

    Raises:
        UnreadableFileError: it is no regular file, or cannot be read.
        TooLargeError: it is larger than `MAX_BYTES`.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device could block for ever
            raise UnreadableFileError(path, "it is no regular file")
        if status.st_size > MAX_BYTES:
            raise TooLargeError(status.st_size)
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(path, error.strerror or type(error).__name__) from error


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(files) if _is_tried(name))


def _is_tried(name: str) -> bool:
    suffix = Path(name).suffix.lower()
    # The last part of a DICOM UID, as in 1.2.840.10008.5, looks like a suffix and is none.
    has_image_name = suffix in IMAGE_SUFFIXES or suffix == "" or suffix[1:].isdigit()
    return has_image_name and not name.startswith(".") and name != DICOM_INDEX


def _raise(error: OSError) -> None:
    raise error
