"""Puts publishers' files into a data set: hard links where the file system can, else copies."""

import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from hilum.console import track

_CANNOT_LINK = (errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS)
"""Another file system, one without hard links, or files of another owner: a copy does."""


def place_files(files: Iterable[tuple[Path, Path]], total: int, *, copy: bool) -> tuple[int, int]:
    """Put each file at its place and return how many were linked and how many copied.

    A hard link takes no space, and stays whole when the publisher's tree is deleted.

    Args:
        files: pairs of an existing file and its new path.
        total: how many there are, for the progress bar.
        copy: always copy.

    Raises:
        OSError: a file cannot be read, or the disk is full.
    """
    linked = 0
    made: set[Path] = set()
    for origin, path in track(files, "Copying images" if copy else "Linking images", total=total):
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        if not copy and _link(origin, path):
            linked += 1
        else:
            shutil.copyfile(origin, path)
    return linked, total - linked


def _link(origin: Path, path: Path) -> bool:
    """Make a hard link to the file itself, past symbolic links; answer whether that was possible."""
    try:
        os.link(origin.resolve(), path)
    except OSError as error:
        if error.errno in _CANNOT_LINK:
            return False
        raise
    return True
