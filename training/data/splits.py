"""Divides a data set anew, by patient and in equal parts of every finding.

Images without a finding are divided too: they teach the filter. The same rows, numbers and seed give the
same division, in whatever order the rows stand.
"""

import warnings
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, combinations, islice

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from hilum.errors import UsageError
from training.data.metadata import SPLITS, DataSet
from training.errors import DataSetError

Booleans = NDArray[np.bool_]

MOST_PARTS = 20
"""Parts that a share is made of: a share is met to within half of one of them, 2.5 %."""

_DRAWS = 10
"""Divisions that are tried until every finding is in every part."""

_CHOICES = 100
"""Combinations of parts that are tried until every finding is in what they hold out."""


def holdout_split(data: DataSet, shares: tuple[float, float, float], seed: int) -> DataSet:
    """Return the data set divided once into train, val and test.

    Args:
        data: any data set; its own split is not looked at.
        shares: of the images that go to train, val and test, each above 0, summing to 1.
        seed: another seed gives another division.

    Raises:
        DataSetError: a finding has too few patients to stand in all three, or a split would hold one patient.
    """
    train, val, test = shares
    everyone = _ordered(data)
    tested = _held_out(everyone, test, seed)
    rest = everyone[~tested]
    validating = rest.index[_held_out(rest, val / (train + val), seed)]
    return _divided(data, everyone.index[tested], validating, f"shares of {_listed(shares)}")


def fold_split(data: DataSet, folds: int, fold: int, validation_share: float, seed: int) -> DataSet:
    """Return the data set with one of `folds` equal parts as its test split.

    Over all folds each image is tested once. What remains is divided into train and val.

    Args:
        data: any data set; its own split is not looked at.
        folds: parts, 2 or more.
        fold: which part is tested, from 0.
        validation_share: of the images of the other parts, in (0, 0.5).
        seed: another seed gives another division.

    Raises:
        DataSetError: a finding has fewer patients than there are folds, or a fold would hold one patient.
        UsageError: there is no such fold.
    """
    if not 0 <= fold < folds:
        raise UsageError(f"There are folds 0 to {folds - 1}; got {fold}.")
    everyone = _ordered(data)
    _check_folds(data, everyone, folds)
    tested = (_fold_of_rows(data, everyone, folds, seed) == fold).to_numpy()
    rest = everyone[~tested]
    validating = rest.index[_held_out(rest, validation_share, seed)]
    return _divided(data, everyone.index[tested], validating, f"{folds} folds")


def _ordered(data: DataSet) -> pd.DataFrame:
    """Return the rows by path, so that their order in the file does not matter; findings of the valid."""
    rows = data.frame.sort_values("path")
    return rows.assign(finding=rows["finding"].where(rows["filter_label"] == "valid", ""))


def _fold_of_rows(data: DataSet, rows: pd.DataFrame, folds: int, seed: int) -> "pd.Series[int]":
    """Return the fold of each row, in the first draw that has every finding in every fold."""
    for drawn in _draws(rows, folds, seed):
        counts = pd.crosstab(drawn, rows["finding"]).reindex(range(folds), fill_value=0)
        if (counts.drop(columns="", errors="ignore") > 0).all(axis=None):
            return drawn
    raise DataSetError(
        f"{data.folder} cannot be divided into {folds} folds by patient with every finding in each: a "
        "finding comes from too few patients. Ask for fewer folds, or add patients."
    )


def _held_out(rows: pd.DataFrame, share: float, seed: int) -> Booleans:
    """Mark the rows of about `share` of the images: whole patients, with every finding where that can be."""
    n_patients = rows["patient_id"].nunique()
    if n_patients < 2:
        return np.zeros(len(rows), dtype=np.bool_)
    fraction = max(Fraction(share).limit_denominator(MOST_PARTS), Fraction(1, MOST_PARTS))
    parts = min(fraction.denominator, n_patients)
    held = max(1, round(fraction * parts))
    marked = (
        drawn.isin(chosen).to_numpy()
        for drawn in _draws(rows, parts, seed)
        for chosen in islice(combinations(range(parts), held), _CHOICES)
    )
    first = next(marked)
    return next((some for some in chain([first], marked) if _in_both(rows, some)), first)


def _draws(rows: pd.DataFrame, parts: int, seed: int) -> Iterator["pd.Series[int]"]:
    """Yield divisions of the rows into parts, whole patients each, with equal shares of every finding."""
    strata = rows["finding"].where(rows["finding"] != "", rows["kind"])
    if strata.value_counts().max() < parts:
        strata = pd.Series("", index=rows.index)  # too few of each for stratification to mean anything
    for attempt in range(_DRAWS):
        random = np.random.RandomState([seed, attempt])
        splitter = StratifiedGroupKFold(parts, shuffle=True, random_state=random)
        part_of_row = pd.Series(0, index=rows.index)
        with warnings.catch_warnings():
            # A rare kind may be missing in a part; a finding may not, which is checked with a sentence.
            warnings.filterwarnings("ignore", message="The least populated class")
            for part, (_, held) in enumerate(splitter.split(rows, strata, rows["patient_id"])):
                part_of_row.iloc[held] = part
        yield part_of_row


def _in_both(rows: pd.DataFrame, marked: Booleans) -> bool:
    """Answer whether each finding is among the marked rows and among the others."""
    return _findings(rows[marked]) == _findings(rows[~marked]) == _findings(rows)


def _findings(rows: pd.DataFrame) -> set[str]:
    return set(rows["finding"]) - {""}


def _check_folds(data: DataSet, rows: pd.DataFrame, folds: int) -> None:
    """Refuse more folds than there can be."""
    for finding in sorted(_findings(rows)):
        n = _n_patients(rows, finding)
        if n < folds:
            raise DataSetError(
                f"{data.folder} has {n} patient(s) with {finding}, too few for {folds} folds: each fold "
                f"needs one. Ask for at most {max(2, n)} folds, or add patients."
            )
    n = rows["patient_id"].nunique()
    if n < 2 * folds:
        raise DataSetError(
            f"{data.folder} has {n} patient(s), too few for {folds} folds: a fold of a single patient tells "
            f"nothing of others. Ask for at most {max(2, n // 2)} folds, or add patients."
        )


def _divided(data: DataSet, tested: pd.Index, validating: pd.Index, how: str) -> DataSet:
    """Return the data set with its new splits.

    Raises:
        DataSetError: a finding is not in each split, or a split has a single patient.
    """
    splits = pd.Series("train", index=data.frame.index)
    splits.loc[validating] = "val"
    splits.loc[tested] = "test"
    divided = data.with_splits(splits)
    everyone = _ordered(divided)
    refused = f"{data.folder} cannot be divided into {how} by patient: "
    remedy = "Ask for fewer or larger parts, or add patients."
    for split in SPLITS:
        rows = everyone[everyone["split"] == split]
        n = rows["patient_id"].nunique()
        if n < 2:
            raise DataSetError(
                f"{refused}split {split} would hold {n} patient(s), which tells nothing of others. {remedy}"
            )
        for finding in sorted(_findings(everyone) - _findings(rows)):
            n = _n_patients(everyone, finding)
            raise DataSetError(
                f"{refused}{finding} has {n} patient(s), and none is left for split {split}. {remedy}"
            )
    return divided


def _n_patients(rows: pd.DataFrame, finding: str) -> int:
    return int(rows.loc[rows["finding"] == finding, "patient_id"].nunique())


def _listed(shares: tuple[float, ...]) -> str:
    return ", ".join(f"{share:g}" for share in shares)
