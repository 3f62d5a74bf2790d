"""A publisher's tree on disk: finds its root, lists its files, reads its tables, says what is missing."""

import csv
import io
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from training.data.importers.records import Publisher
from training.errors import DataSetError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".dcm")
"""Suffixes of what Hilum decodes."""

_SHOWN = 8


class Tree:
    """The files of one publisher's data set."""

    def __init__(self, root: Path, publisher: Publisher) -> None:
        self.root = root
        self.publisher = publisher

    @cached_property
    def files(self) -> dict[str, Path]:
        """Every file by its path below the root, sorted; hidden files and a Mac's copies of them are not."""
        found: dict[str, Path] = {}
        seen: set[tuple[int, int]] = set()
        for folder, below, names in os.walk(self.root, followlinks=True):
            status = Path(folder).stat()
            if (status.st_dev, status.st_ino) in seen:  # a link to a folder above it
                below.clear()
                continue
            seen.add((status.st_dev, status.st_ino))
            below[:] = sorted(name for name in below if not name.startswith(".") and name != "__MACOSX")
            here = Path(folder)
            for name in sorted(names):
                if not name.startswith("."):
                    found[(here / name).relative_to(self.root).as_posix()] = here / name
        return found

    def pictures(self, folder: str) -> dict[str, Path]:
        """Return the image files below a folder of the tree, by their path below the root."""
        return {
            origin: path
            for origin, path in self.files.items()
            if origin.startswith(f"{folder}/") and path.suffix.lower() in PICTURES
        }

    def rows(self, name: str, columns: Sequence[str]) -> Iterator[dict[str, str]]:
        """Yield the rows of a CSV table as stripped text; absent cells are empty.

        Raises:
            DataSetError: the file is missing, is no table, or lacks one of `columns`.
        """
        path = self.root / name
        if not path.is_file():
            raise self.wrong(f"it lacks {name}")
        table = csv.DictReader(io.StringIO(_decode(path.read_bytes()), newline=""), restval="")
        try:
            header = [title.strip() for title in table.fieldnames or ()]
            table.fieldnames = header
            missing = [column for column in columns if column not in header]
            if missing:
                has = ", ".join(header) or "none"
                raise self.wrong(f"its {name} lacks the column(s) {', '.join(missing)}; it has {has}")
            for row in table:
                yield {key: value.strip() for key, value in row.items() if isinstance(key, str)}
        except csv.Error as error:
            raise self.wrong(f"its {name} is no comma-separated table: {error}") from error

    def lines(self, name: str) -> list[str]:
        """Return the lines of a text file that are not empty.

        Raises:
            DataSetError: the file is missing.
        """
        path = self.root / name
        if not path.is_file():
            raise self.wrong(f"it lacks {name}")
        return [line.strip() for line in _decode(path.read_bytes()).splitlines() if line.strip()]

    def wrong(self, found: str) -> DataSetError:
        """Return an error that says what was found instead of the publisher's layout."""
        return _wrong(self.root, self.publisher, found)


def open_tree(source: Path, publisher: Publisher) -> Tree:
    """Return the publisher's tree in `source`, or in the one folder inside that an archive unpacks to.

    Raises:
        DataSetError: neither has the publisher's layout; the message lists what is missing.
    """
    if not source.is_dir():
        raise DataSetError(
            f"{source} is no folder: expected {publisher.title}, unpacked. Download: {publisher.page}"
        )
    lacking = _lacking(source, publisher.marks)
    if not lacking:
        return Tree(source, publisher)
    inside = [path for path in sorted(source.iterdir()) if path.is_dir() and path.name != "__MACOSX"]
    roots = [path for path in inside if not _lacking(path, publisher.marks)]
    if len(roots) == 1:
        return Tree(roots[0], publisher)
    if roots:
        names = ", ".join(path.name for path in roots)
        raise DataSetError(f"{source} holds {publisher.title} more than once ({names}): name one of them.")
    raise _wrong(source, publisher, f"it lacks {', '.join(lacking)}")


def _lacking(folder: Path, marks: Sequence[str]) -> list[str]:
    """Return the patterns that match nothing in `folder`."""
    return [mark for mark in marks if next(folder.glob(mark), None) is None]


def _wrong(root: Path, publisher: Publisher, found: str) -> DataSetError:
    entries = sorted(path.name + ("/" if path.is_dir() else "") for path in root.iterdir())
    more = f" and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
    return DataSetError(
        f"{root} is not {publisher.title} as its publisher ships it: {found}.\n"
        f"  Expected: {publisher.layout}\n"
        f"  Found: {', '.join(entries[:_SHOWN]) or 'an empty folder'}{more}\n"
        f"  Download: {publisher.page}"
    )


def _decode(data: bytes) -> str:
    """Return a table's text: UTF-8, or else Windows' Latin letters, which some publishers use."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")
