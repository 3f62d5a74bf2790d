"""Imports one data set: reads the publisher's tree, settles the splits, writes whole or not at all."""

import csv
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hilum.files import fsync_folder
from training.data.importers.placing import place_files
from training.data.importers.records import ABSENT, FRONTAL, Found, Picture, Publisher
from training.data.importers.splits import settle_splits
from training.data.importers.tree import Tree, open_tree
from training.data.metadata import COLUMNS, METADATA, DataSet, load_metadata
from training.errors import DataSetError

EXTRA_COLUMNS = ("publisher_label", "sex", "age", "pathogen", "license", "origin_path")
"""What publishers say beyond the required columns; empty where they do not."""

_SHOWN_MISSING = 5


@dataclass(frozen=True)
class Imported:
    """What an import made."""

    data: DataSet
    """The new data set."""
    found: Found
    """What was read, what was left out and why, and labels that are not known."""
    split: str
    """Where the splits come from, as part of a sentence."""
    linked: int
    """Images that are hard links to the publisher's files."""
    copied: int
    """Images that are copies."""


def import_data_set(
    publisher: Publisher,
    read: Callable[[Tree], Found],
    source: Path,
    folder: Path,
    *,
    seed: int = 0,
    copy: bool = False,
    resplit: bool = False,
    partial: bool = False,
) -> Imported:
    """Write a publisher's data set to the new `folder` in Hilum's form.

    Args:
        publisher: what the data set is.
        read: the publisher's reader.
        source: its tree, unpacked.
        folder: must not exist yet, or be empty.
        seed: decides the splits that are drawn.
        copy: copy the images; hard links else, where the file system can.
        resplit: draw splits even where the publisher has them.
        partial: import what is there of an incomplete tree.

    Raises:
        DataSetError: `source` is not the publisher's tree or lacks files, or `folder` holds files.
        OSError: a file cannot be read or written. Nothing is left behind in either case.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataSetError(f"{folder} exists and is not empty. Name a new folder: nothing is overwritten.")
    tree = open_tree(source, publisher)
    found = read(tree)
    _settle_missing(tree, found, partial=partial)
    if not found.pictures:
        raise tree.wrong("it holds no picture to import")
    splits, sentence = settle_splits(found.pictures, seed, resplit=resplit)
    linked, copied = _write(publisher, found.pictures, splits, folder, copy=copy)
    return Imported(load_metadata(folder), found, sentence, linked, copied)


def _settle_missing(tree: Tree, found: Found, *, partial: bool) -> None:
    """Refuse an incomplete tree, or count what it lacks."""
    if partial:
        for origin in found.missing:
            found.leave_out(ABSENT, origin)
    elif found.missing:
        names = ", ".join(found.missing[:_SHOWN_MISSING])
        more = " and more" if len(found.missing) > _SHOWN_MISSING else ""
        total = len(found.missing) + len(found.pictures)
        raise tree.wrong(
            f"it lacks {len(found.missing)} of the {total} images that its tables list ({names}{more}); "
            "unpack the rest, or import what is there with --partial"
        )


def _write(
    publisher: Publisher, pictures: Sequence[Picture], splits: Sequence[str], folder: Path, *, copy: bool
) -> tuple[int, int]:
    """Write images and table beside `folder`, check them, and rename; return the links and copies made."""
    rows = [_row(publisher, picture, split) for picture, split in zip(pictures, splits, strict=True)]
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        places = [(p.file, draft / row["path"]) for p, row in zip(pictures, rows, strict=True)]
        placed = place_files(places, len(places), copy=copy)
        with (draft / METADATA).open("w", newline="", encoding="utf-8") as stream:
            table = csv.DictWriter(stream, (*COLUMNS, *EXTRA_COLUMNS), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        load_metadata(draft)
        draft.chmod(0o755)
        draft.replace(folder)
    except BaseException:
        shutil.rmtree(draft)
        raise
    fsync_folder(folder.parent)
    return placed


def _row(publisher: Publisher, picture: Picture, split: str) -> dict[str, str]:
    """Return one line of `metadata.csv`; what is no frontal film has no finding."""
    frontal = picture.kind == FRONTAL
    return {
        "path": f"images/{publisher.name}/{picture.origin}",
        "source": publisher.name,
        "patient_id": f"{publisher.name}:{picture.patient}",
        "view": picture.view,
        "finding": picture.finding if frontal else "",
        "filter_label": "valid" if frontal else "non_valid",
        "kind": picture.kind,
        "split": split,
        "publisher_label": picture.label,
        "sex": picture.sex,
        "age": picture.age,
        "pathogen": picture.pathogen,
        "license": picture.license or publisher.licence,
        "origin_path": picture.origin,
    }
