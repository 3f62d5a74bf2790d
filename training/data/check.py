"""Looks for everything that is wrong with a data set, and counts what it holds."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import pandas as pd

from hilum.files import sha256_bytes
from hilum.radiograph import RadiographError, decode_radiograph
from training.data.association import SourceShortcut, source_shortcuts
from training.data.metadata import SPLITS, Problem, find_problems, read_table
from training.data.near_duplicates import Fingerprint, find_near_duplicates, fingerprint
from training.data.parallel import map_in_processes

CLASS_COLUMNS = ["filter_label", "kind", "finding", "source"]


@dataclass(frozen=True, slots=True)
class SimilarImages:
    """Two image files that show the same radiograph."""

    paths: tuple[str, str]
    """Both files, as in the table."""
    splits: tuple[str, str]
    """The split of each."""
    patients: tuple[str, str]
    """The patient of each."""
    distance: float
    """0 for the same picture, up to `near_duplicates.MAX_DISTANCE`."""

    @property
    def kind(self) -> str:
        """`near_duplicate_across_splits`, or `near_duplicate_of_another_patient` within a split."""
        torn = self.splits[0] != self.splits[1]
        return "near_duplicate_across_splits" if torn else "near_duplicate_of_another_patient"

    @property
    def message(self) -> str:
        """A sentence that names both files and says what to do."""
        first, second = (
            f"{path} ({split}, patient {patient})"
            for path, split, patient in zip(self.paths, self.splits, self.patients, strict=True)
        )
        return (
            f"{first} and {second} seem to show the same picture (distance {self.distance:.3f}). "
            "If they do, remove one, or give both one patient_id and one split."
        )


@dataclass(frozen=True)
class CheckReport:
    """What a check found."""

    folder: Path
    """The data set's folder."""
    images: int
    """Rows of `metadata.csv`."""
    patients: int
    """Distinct patient identifiers."""
    counts: pd.DataFrame
    """Images: columns filter_label, kind, finding, source, then one per split and `all`."""
    problems: tuple[Problem, ...]
    """Everything to mend; empty for a clean data set."""
    near_duplicates: tuple[SimilarImages, ...]
    """Warnings, nearest first: different files that seem to show the same radiograph, in two splits or under
    two patients. Exact copies in two splits stand among the problems instead."""
    shortcuts: tuple[SourceShortcut, ...]
    """How well the source alone predicts the label of each network."""


@dataclass(frozen=True)
class _Read:
    """What came of reading one image: its content's digest and fingerprint, or a problem."""

    path: str
    digest: str = ""
    fingerprint: Fingerprint | None = None
    problem: Problem | None = None


def check_data_set(folder: Path) -> CheckReport:
    """Check the table's rows, decode every image, and compare files, pictures, sources and labels.

    Raises:
        DataSetError: `folder` is no data set, so that there are no rows to check.
    """
    frame = read_table(folder)
    problems = list(find_problems(frame))
    # A path that leaves the folder is reported above and not opened.
    outside = {problem.path for problem in problems if problem.kind == "bad_path"}
    paths = [path for path in dict.fromkeys(frame["path"]) if path and path not in outside]
    reads = list(map_in_processes(partial(_read, folder), paths, "Reading images"))
    problems += [read.problem for read in reads if read.problem is not None]
    problems += _copies_across_splits(frame, reads)
    return CheckReport(
        folder=folder,
        images=len(frame),
        patients=frame["patient_id"].nunique(),
        counts=count_images(frame),
        problems=tuple(problems),
        near_duplicates=tuple(_similar_images(frame, reads)),
        shortcuts=tuple(source_shortcuts(frame)),
    )


def count_images(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the number of images by class, source and split."""
    counts = frame.groupby([*CLASS_COLUMNS, "split"]).size().unstack("split", fill_value=0)
    counts = counts.reindex(columns=[*SPLITS, *sorted(set(counts.columns) - set(SPLITS))], fill_value=0)
    counts["all"] = counts.sum(axis=1)
    return counts.reset_index().rename_axis(columns=None)


def _read(folder: Path, path: str) -> _Read:
    """Decode one image as serving does. Runs in worker processes."""
    try:
        data = (folder / path).read_bytes()
    except FileNotFoundError:
        message = f"{path}: the file is missing. Restore it, or remove its row."
        return _Read(path, problem=Problem("missing_file", message, path))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return _Read(path, problem=Problem("unreadable_file", f"{path}: {reason}.", path))
    try:
        radiograph = decode_radiograph(data)
    except RadiographError as error:
        problem = Problem("unreadable_file", f"{path}: {error}", path)
        return _Read(path, sha256_bytes(data), problem=problem)
    return _Read(path, sha256_bytes(data), fingerprint(radiograph))


def _copies_across_splits(frame: pd.DataFrame, reads: Iterable[_Read]) -> Iterator[Problem]:
    """Yield one problem for each content that stands in more than one split."""
    digests = {read.path: read.digest for read in reads if read.digest}
    files = frame.assign(digest=frame["path"].map(digests)).dropna(subset="digest")
    for _, copies in files.groupby("digest", sort=False):
        if copies["split"].nunique() > 1:
            places = [f"{row.path} ({row.split})" for row in copies.itertuples()]
            yield Problem(
                "copy_across_splits",
                f"the same file stands in more than one split: {', '.join(places)}. "
                "Keep one, or give all copies one split.",
                str(PurePosixPath(copies["path"].iloc[0])),
            )


def _similar_images(frame: pd.DataFrame, reads: Sequence[_Read]) -> Iterator[SimilarImages]:
    """Yield near-duplicates in two splits or of two patients, but no exact copies in two splits."""
    pictures = {read.path: read.fingerprint for read in reads if read.fingerprint is not None}
    digests = {read.path: read.digest for read in reads}
    rows = frame.drop_duplicates("path").set_index("path").loc[list(pictures), ["patient_id", "split"]]
    groups = rows.groupby(["patient_id", "split"], sort=False).ngroup()
    for pair in find_near_duplicates(list(pictures.values()), groups):
        two = rows.iloc[[pair.first, pair.second]]
        (first, second), splits, patients = two.index, tuple(two["split"]), tuple(two["patient_id"])
        if digests[first] != digests[second] or splits[0] == splits[1]:
            yield SimilarImages((first, second), splits, patients, pair.distance)
