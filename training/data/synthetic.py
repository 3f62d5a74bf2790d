"""Draws a whole synthetic data set: chest films of invented patients, and pictures that are none.

Everything follows from the seed: patient 17 of seed 3 looks the same in a set of 20 and of 20,000,
and the same call writes the same bytes. Source, exposure and anatomy are drawn apart from the
finding, so that nothing but the opacities tells the classes from each other.
"""

import csv
import shutil
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hilum.contract import LABELS
from hilum.files import fsync_folder
from training.data.anatomy import draw_radiograph, sample_anatomy
from training.data.metadata import COLUMNS, METADATA
from training.data.parallel import map_in_processes
from training.data.pictures import KINDS
from training.errors import DataSetError

SOURCES = ("aldergrove", "birchfield", "cedarvale")
"""Invented hospitals."""

_KIND_CYCLE = (
    *("ct", "natural", "non_chest_xray", "lateral_cxr", "ct", "object_xray"),
    *("non_chest_xray", "natural", "ct", "document", "natural", "non_chest_xray"),
)
"""Kinds of non-valid picture, in about the proportions of public collections."""

_SPLIT_CYCLE = (
    *("train", "train", "val", "train", "test", "train", "train", "train", "train", "val"),
    *("train", "train", "test", "train", "train", "val", "train", "train", "test", "train"),
)
"""70 / 15 / 15; spread out, so that a class has all three splits from its fifth patient on."""


@dataclass(frozen=True)
class _Subject:
    """One patient, or one single picture of something else."""

    number: int
    content: str
    """A label of the classifier, or a kind of non-valid picture."""
    split: str


@dataclass(frozen=True)
class _Row:
    """One line of `metadata.csv`; the fields are its columns."""

    path: str
    source: str
    patient_id: str
    view: str
    finding: str
    filter_label: str
    kind: str
    split: str


def draw_data_set(folder: Path, patients: int, seed: int) -> int:
    """Write a synthetic data set to `folder`, whole or not at all, and return its number of images.

    Each patient gives one or two chest films, and beside each there is one picture that is no frontal
    chest radiograph. Splits are by patient, 70 / 15 / 15, stratified by finding and by kind.

    Args:
        folder: must not exist yet, or be empty.
        patients: 1 or more; from 17 on both networks find every class in every split.
        seed: 0 or more.

    Raises:
        DataSetError: `folder` holds files, or is one.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataSetError(f"{folder} exists and is not empty. Name a new folder: nothing is overwritten.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        for source in SOURCES:
            (draft / "images" / source).mkdir(parents=True)
        write = partial(_write_subject, draft, seed)
        rows = [row for part in map_in_processes(write, _plan(patients), "Drawing patients") for row in part]
        with (draft / METADATA).open("w", newline="", encoding="utf-8") as stream:
            table = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            table.writeheader()
            table.writerows(asdict(row) for row in rows)
        draft.chmod(0o755)
        draft.replace(folder)
    except BaseException:
        shutil.rmtree(draft)
        raise
    fsync_folder(folder.parent)
    return len(rows)


def _plan(patients: int) -> list[_Subject]:
    """Return patients and single pictures in turn; a longer plan begins with every shorter one."""
    seen: Counter[str] = Counter()
    subjects = []
    for number in range(patients):
        for content in (LABELS[number % len(LABELS)], _KIND_CYCLE[number % len(_KIND_CYCLE)]):
            subjects.append(_Subject(number, content, _SPLIT_CYCLE[seen[content] % len(_SPLIT_CYCLE)]))
            seen[content] += 1
    return subjects


def _write_subject(folder: Path, seed: int, subject: _Subject) -> list[_Row]:
    """Draw and save the images of one subject and return their rows. Runs in worker processes."""
    is_patient = subject.content in LABELS
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(subject.number, int(is_patient))))
    source = str(rng.choice(SOURCES))
    name = f"{'patient' if is_patient else 'picture'}-{subject.number:06d}"
    if not is_patient:
        path = f"images/{source}/{name}.jpg"
        _save(folder / path, KINDS[subject.content](rng))
        view = "lateral" if subject.content == "lateral_cxr" else "unknown"
        return [_Row(path, source, name, view, "", "non_valid", subject.content, subject.split)]
    anatomy = sample_anatomy(rng)
    rows = []
    for film in range(1, int(rng.integers(1, 3)) + 1):
        path = f"images/{source}/{name}-{film}.jpg"
        _save(folder / path, draw_radiograph(rng, subject.content, anatomy))
        view = str(rng.choice(["PA", "AP"]))
        rows.append(_Row(path, source, name, view, subject.content, "valid", "frontal_cxr", subject.split))
    return rows


def _save(path: Path, picture: NDArray[np.uint8]) -> None:
    Image.fromarray(picture).save(path, quality=90)
