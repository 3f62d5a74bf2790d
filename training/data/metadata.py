"""Reads and validates a data set: a folder with `metadata.csv`, one row per image.

Whether the images themselves can be read is left to `check.py` and to the decoded cache.
"""

import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import pandas as pd

from hilum.contract import LABELS
from hilum.files import sha256_file
from training.errors import DataSetError

METADATA = "metadata.csv"

COLUMNS = ("path", "source", "patient_id", "view", "finding", "filter_label", "kind", "split")
"""The columns that `metadata.csv` must have; more are kept as they are."""

SPLITS = ("train", "val", "test")

ALLOWED = {
    "finding": (*LABELS, ""),
    "filter_label": ("valid", "non_valid"),
    "split": SPLITS,
}
"""The values that a column may hold; an empty finding keeps an image from the classifier."""

Classes = Mapping[str, Sequence[str]]
"""A classifier's classes in the order of its outputs, and the findings that each holds."""

EACH: Classes = {label: (label,) for label in LABELS}
"""The contract's classes: each finding is its own."""

_SHOWN_PROBLEMS = 5
_SHOWN_PATIENTS = 3


@dataclass(frozen=True)
class Problem:
    """Something about a data set that must be mended."""

    kind: str
    """What is wrong, in one or two words joined by underscores."""
    message: str
    """A sentence that names the row, the column or the file, and what to do."""
    path: str = ""
    """The image it is about, as in the table; empty where it is about several."""


@dataclass(frozen=True, eq=False)
class DataSet:
    """A validated data set."""

    folder: Path
    """The folder that holds `metadata.csv`; image paths are relative to it."""
    frame: pd.DataFrame
    """One row per image, all columns text: those of `COLUMNS`, and more where the file has them."""

    def digest(self) -> str:
        """Return a SHA-256 over the required columns of every row and the content of every image.

        The order of the rows does not matter. The images are read once per data set.

        Raises:
            DataSetError: an image is missing or cannot be opened.
        """
        return self._digest

    def undivided_digest(self) -> str:
        """Return the same without the column `split`: what all divisions of one set share."""
        return self._digest_of([column for column in COLUMNS if column != "split"])

    @cached_property
    def _digest(self) -> str:
        return self._digest_of(COLUMNS)

    def _digest_of(self, columns: Sequence[str]) -> str:
        rows = self.frame[list(columns)].itertuples(index=False, name=None)
        lines = [json.dumps([*row, content]) for row, content in zip(rows, self._contents, strict=True)]
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()

    @cached_property
    def _contents(self) -> list[str]:
        """The SHA-256 of every image, in the order of the rows."""
        paths = [self.folder / path for path in self.frame["path"]]
        try:
            with ThreadPoolExecutor() as pool:  # hashing releases the interpreter's lock
                return list(pool.map(sha256_file, paths))
        except OSError as error:
            raise DataSetError(
                f"{error.filename} stands in {self.folder / METADATA} but cannot be read: {error.strerror}. "
                f"Run `hilum data check {self.folder}` for all such files."
            ) from error

    def with_splits(self, splits: "pd.Series[str]") -> "DataSet":
        """Return the same rows with another split each; images that were read once are not read again."""
        divided = DataSet(self.folder, self.frame.assign(split=splits))
        if "_contents" in self.__dict__:
            divided.__dict__["_contents"] = self._contents
        return divided

    def classifier_rows(self, split: str, classes: Classes | None = None) -> pd.DataFrame:
        """Return the rows of a split that the classifier learns from: valid radiographs with a finding.

        A column `label` names the class: the finding itself, or the one of `classes` that holds it;
        a finding that no class holds is left out.

        Raises:
            DataSetError: there is none, or in `train` or `val` a class has none.
        """
        frame = self.frame
        held = {finding: name for name, findings in (classes or EACH).items() for finding in findings}
        rows = frame[
            (frame["filter_label"] == "valid") & frame["finding"].isin(list(held)) & (frame["split"] == split)
        ]
        rows = rows.assign(label=rows["finding"].map(held))
        self._check_classes(rows["label"], tuple(classes or EACH), "finding", split)
        return rows

    def filter_rows(self, split: str) -> pd.DataFrame:
        """Return the rows of a split that the filter learns from: all of them, `label` being valid or not.

        Raises:
            DataSetError: there is none, or `train` lacks valid or non-valid images.
        """
        rows = self.frame[self.frame["split"] == split]
        rows = rows.assign(label=rows["filter_label"])
        self._check_classes(rows["label"], ALLOWED["filter_label"], "filter_label", split)
        return rows

    def _check_classes(self, values: pd.Series, classes: tuple[str, ...], column: str, split: str) -> None:
        """Refuse a split without images, and one that training needs without images of some class."""
        if values.empty:
            raise DataSetError(
                f"{self.folder} has no image for this model in split {split}: expected rows with "
                f"split={split} and {column} one of {', '.join(classes)}. Add them to {METADATA}."
            )
        missing = [name for name in classes if not (values == name).any()]
        if split != "test" and missing:
            raise DataSetError(
                f"{self.folder} has no image of class {' or '.join(missing)} in split {split} (column "
                f"{column}). Training needs every class, validation too: add such rows to {METADATA}."
            )


def load_metadata(folder: Path) -> DataSet:
    """Read `metadata.csv` in `folder` and refuse it where a row breaks the documented form.

    Raises:
        DataSetError: the file is missing, empty or no table, lacks a column, or a row is wrong.
    """
    frame = read_table(folder)
    problems = list(find_problems(frame))
    if problems:
        listed = "\n".join(f"  {problem.message}" for problem in problems[:_SHOWN_PROBLEMS])
        raise DataSetError(
            f"{folder / METADATA} has {len(problems)} problem(s):\n{listed}\n"
            f"Run `hilum data check {folder}` for the whole list."
        )
    return DataSet(folder, frame)


def read_table(folder: Path) -> pd.DataFrame:
    """Return `metadata.csv` as text columns, with its columns checked but not yet its rows.

    Raises:
        DataSetError: the file is missing, empty or no table, or lacks a column.
    """
    path = folder / METADATA
    if not path.is_file():
        raise DataSetError(
            f"{folder} is no data set: it holds no {METADATA}. Expected one row per image with the columns "
            f"{', '.join(COLUMNS)}. To draw a synthetic set: hilum data synth {folder} --patients 200"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # a row too long, which would be cut
            frame = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False, encoding="utf-8-sig")
    except (ValueError, pd.errors.ParserWarning) as error:
        raise DataSetError(f"{path} is no comma-separated table in UTF-8: {str(error).strip()}") from error
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise DataSetError(
            f"{path} lacks the column(s) {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}. "
            f"Expected {', '.join(COLUMNS)}."
        )
    if frame.empty:
        raise DataSetError(f"{path} has a header but no rows: add one row per image.")
    return frame.fillna("")  # a row that ends early


def find_problems(frame: pd.DataFrame) -> Iterator[Problem]:
    """Yield every way in which the rows break the documented form, in the order of the file."""
    for column in ("path", "patient_id", "source", "kind"):
        for index in frame.index[frame[column] == ""]:
            yield _row_problem(frame, index, "empty_value", f"column {column} is empty; fill it in")
    for column, allowed in ALLOWED.items():
        for index in frame.index[~frame[column].isin(allowed)]:
            names = ", ".join(name or "(empty)" for name in allowed)
            found = f"column {column} is {frame.at[index, column]!r}; expected one of {names}"
            yield _row_problem(frame, index, "bad_value", found)
    yield from _path_problems(frame)
    yield from _patient_problems(frame)


def _path_problems(frame: pd.DataFrame) -> Iterator[Problem]:
    """Yield paths that leave the folder, and those that stand in more than one row."""
    first_line: dict[str, int] = {}
    for index, text in frame["path"].items():
        path = PurePosixPath(text)
        if path.is_absolute() or ".." in path.parts or "\0" in text:
            found = f"path {text!r} leaves the folder; expected a path relative to {METADATA}, without '..'"
            yield _row_problem(frame, index, "bad_path", found)
        elif text and str(path) in first_line:
            found = f"path {text!r} stands in line {first_line[str(path)]} too; keep one row per image"
            yield _row_problem(frame, index, "duplicate_path", found)
        first_line.setdefault(str(path), _line(index))


def _patient_problems(frame: pd.DataFrame) -> Iterator[Problem]:
    """Yield one problem if patients have images in more than one split."""
    splits = frame[frame["patient_id"] != ""].groupby("patient_id")["split"].unique()
    torn = splits[splits.map(len) > 1]
    if len(torn):
        examples = [
            f"{patient} ({', '.join(splits)})" for patient, splits in torn.head(_SHOWN_PATIENTS).items()
        ]
        yield Problem(
            "patient_in_two_splits",
            f"{len(torn)} patient(s) have images in more than one split: {', '.join(examples)}"
            f"{' and more' if len(torn) > _SHOWN_PATIENTS else ''}. Give all images of a patient one split, "
            "or the test split measures what the network remembers.",
        )


def _row_problem(frame: pd.DataFrame, index: object, kind: str, found: str) -> Problem:
    path = str(frame.at[index, "path"])
    return Problem(kind, f"line {_line(index)} ({path or 'no path'}): {found}.", path)


def _line(index: object) -> int:
    """Return the line of a row in the file, whose first line is the header."""
    assert isinstance(index, int)
    return index + 2
