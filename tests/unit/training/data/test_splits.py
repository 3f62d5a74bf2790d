"""Divisions of a data set: by patient, with every finding everywhere, the same every time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from hilum.contract import LABELS
from hilum.errors import UsageError
from training.data import metadata
from training.data.metadata import SPLITS, DataSet, find_problems
from training.data.splits import fold_split, holdout_split
from training.errors import DataSetError

KINDS = ("frontal_cxr", "lateral_cxr", "document")


def data_set(images: list[tuple[str, str, str]]) -> DataSet:
    """Return a data set of (patient, finding, kind) that has no files."""
    rows = [
        {
            "path": f"images/{index}.png",
            "source": "drawn",
            "patient_id": patient,
            "view": "PA",
            "finding": finding if kind == KINDS[0] else "",
            "filter_label": "valid" if kind == KINDS[0] else "non_valid",
            "kind": kind,
            "split": "train",
        }
        for index, (patient, finding, kind) in enumerate(images)
    ]
    return DataSet(Path("nowhere"), pd.DataFrame(rows))


def even(patients_per_finding: int, images_per_patient: int = 2) -> DataSet:
    """Return so many patients of each finding, and half as many documents."""
    images = [
        (f"{finding}-{patient}", finding, KINDS[0])
        for finding in LABELS
        for patient in range(patients_per_finding)
        for _ in range(images_per_patient)
    ]
    documents = [(f"document-{index}", "", KINDS[2]) for index in range(patients_per_finding // 2)]
    return data_set(images + documents)


@st.composite
def any_rows(draw: st.DrawFn) -> DataSet:
    """Draw a data set of few patients who may have several findings: often too few to divide."""
    patients = st.integers(0, 24).map("p{}".format)
    row = st.tuples(patients, st.sampled_from([*LABELS, ""]), st.sampled_from(KINDS))
    return data_set(draw(st.lists(row, min_size=1, max_size=80)))


@st.composite
def ample_rows(draw: st.DrawFn) -> DataSet:
    """Draw a data set with eight or more patients of each finding, and other images."""
    counts = st.lists(st.integers(1, 4), min_size=8, max_size=16)
    images = [
        (f"{finding}-{patient}", finding, KINDS[0])
        for finding in LABELS
        for patient, n_images in enumerate(draw(counts))
        for _ in range(n_images)
    ]
    others = [
        (f"other-{index}", "", kind) for index, kind in enumerate(draw(st.lists(st.sampled_from(KINDS))))
    ]
    return data_set(images + others)


def unless_refused(divide: Callable[[], list[DataSet]]) -> list[DataSet]:
    try:
        return divide()
    except DataSetError:
        return []


def assert_sound(divided: DataSet, original: DataSet) -> None:
    """A division keeps the rows, tears no patient apart, and has every finding in every split."""
    frame = divided.frame
    assert frame.drop(columns="split").equals(original.frame.drop(columns="split"))
    assert not list(find_problems(frame)), "a patient stands in two splits, or a split has another name"
    for split in SPLITS:
        part = frame[frame["split"] == split]
        assert set(original.frame["finding"]) - {""} <= set(part["finding"])
        assert part["patient_id"].nunique() >= 2


@settings(max_examples=40, deadline=None)
@given(data=any_rows(), folds=st.integers(2, 5), seed=st.integers(0, 2**32 - 1))
def test_what_is_not_refused_is_sound(data: DataSet, folds: int, seed: int) -> None:
    divisions = unless_refused(lambda: [holdout_split(data, (0.6, 0.2, 0.2), seed)])
    divisions += unless_refused(lambda: [fold_split(data, folds, fold, 0.2, seed) for fold in range(folds)])
    for divided in divisions:
        assert_sound(divided, data)


@settings(max_examples=25, deadline=None)
@given(data=ample_rows(), folds=st.integers(2, 4), seed=st.integers(0, 2**32 - 1))
def test_enough_patients_are_never_refused(data: DataSet, folds: int, seed: int) -> None:
    assert_sound(holdout_split(data, (0.6, 0.2, 0.2), seed), data)
    divided = [fold_split(data, folds, fold, 0.2, seed) for fold in range(folds)]
    for part in divided:
        assert_sound(part, data)
    times_tested = np.sum([part.frame["split"] == "test" for part in divided], axis=0)
    assert (times_tested == 1).all()


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(39)), seed=st.integers(0, 1000))
def test_the_order_of_the_rows_does_not_matter(order: list[int], seed: int) -> None:
    data = even(6)
    frame = data.frame
    shuffled = frame.iloc[order].reset_index(drop=True)
    orders = (data, DataSet(data.folder, shuffled))
    holdouts = [holdout_split(each, (0.5, 0.25, 0.25), seed) for each in orders]
    folds = [fold_split(each, 3, 1, 0.3, seed) for each in orders]
    for one, other in (holdouts, folds):
        splits = [each.frame.set_index("path")["split"].sort_index() for each in (one, other)]
        assert splits[0].equals(splits[1])


def test_another_seed_gives_another_division() -> None:
    data = even(20)
    splits = [holdout_split(data, (0.8, 0.1, 0.1), seed).frame["split"] for seed in (0, 0, 1)]
    assert splits[0].equals(splits[1])
    assert not splits[0].equals(splits[2])


@pytest.mark.parametrize("shares", [(0.8, 0.1, 0.1), (0.7, 0.15, 0.15), (0.4, 0.4, 0.2)])
def test_shares_are_met_finding_by_finding(shares: tuple[float, float, float]) -> None:
    divided = holdout_split(even(40), shares, 0).frame
    for finding in LABELS:
        found = divided.loc[divided["finding"] == finding, "split"].value_counts(normalize=True)
        for split, share in zip(SPLITS, shares, strict=True):
            assert found[split] == pytest.approx(share, abs=0.03)


def test_folds_hold_equal_shares_of_every_finding() -> None:
    data = even(30)
    for fold in range(10):
        tested = fold_split(data, 10, fold, 0.1, 0).frame.query("split == 'test'")
        assert tested["finding"].value_counts()[list(LABELS)].tolist() == [6, 6, 6]


def test_a_rare_finding_still_stands_in_every_split() -> None:
    common = [(f"common-{index}", "no_finding", KINDS[0]) for index in range(60)]
    rare = [(f"rare-{index}", "covid19", KINDS[0]) for index in range(3)]
    data = data_set(common + rare)
    for seed in range(5):
        assert_sound(holdout_split(data, (0.8, 0.1, 0.1), seed), data)


def test_more_folds_than_patients_name_the_finding() -> None:
    common = [(f"common-{index}", "no_finding", KINDS[0]) for index in range(60)]
    rare = [(f"rare-{index}", "covid19", KINDS[0]) for index in range(3)] * 5
    with pytest.raises(DataSetError, match=r"3 patient\(s\) with covid19, too few for 5 folds.*at most 3"):
        fold_split(data_set(common + rare), 5, 0, 0.2, 0)


def test_folds_of_a_single_patient_are_refused() -> None:
    every_finding = [(f"p{index}", finding, KINDS[0]) for index in range(6) for finding in LABELS]
    with pytest.raises(
        DataSetError, match=r"6 patient\(s\), too few for 6 folds: a fold of a single patient"
    ):
        fold_split(data_set(every_finding), 6, 0, 0.2, 0)


def test_a_split_of_a_single_patient_is_refused() -> None:
    every_finding = [(f"p{index}", finding, KINDS[0]) for index in range(4) for finding in LABELS]
    with pytest.raises(DataSetError, match=r"shares of 0\.5, 0\.25, 0\.25.*would hold 1 patient"):
        holdout_split(data_set(every_finding), (0.5, 0.25, 0.25), 0)


def test_a_finding_of_an_image_that_is_not_valid_does_not_count() -> None:
    data = even(8)
    frame = data.frame.assign(
        filter_label=data.frame["filter_label"].where(data.frame["finding"] != "covid19", "non_valid")
    )
    frame.loc[frame["finding"] == "covid19", "patient_id"] = "one patient with sixteen lateral views"
    divided = fold_split(DataSet(data.folder, frame), 4, 0, 0.2, 0)
    assert set(divided.frame["split"]) == set(SPLITS)


def test_an_unknown_fold_is_refused() -> None:
    with pytest.raises(UsageError, match=r"folds 0 to 4; got 5"):
        fold_split(even(10), 5, 5, 0.1, 0)


def test_images_are_read_once_for_all_divisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []

    def counted(path: Path) -> str:
        read.append(path)
        return path.name

    monkeypatch.setattr(metadata, "sha256_file", counted)
    data = even(10)
    whole = data.digest()
    digests = {fold_split(data, 5, fold, 0.1, 0).digest() for fold in range(5)} | {whole}
    assert len(digests) == 6, "the digest must tell the folds apart"
    assert len(read) == len(data.frame)


def test_the_division_is_the_published_one() -> None:
    """Sklearn's own splitter, asked without this module, puts the same patients together."""
    data = even(12)
    rows = data.frame.sort_values("path")
    strata: Any = rows["finding"].where(rows["finding"] != "", rows["kind"])
    splitter = StratifiedGroupKFold(4, shuffle=True, random_state=np.random.RandomState([3, 0]))
    for fold, (_, tested) in enumerate(splitter.split(rows, strata, rows["patient_id"])):
        ours = fold_split(data, 4, fold, 0.2, 3).frame.query("split == 'test'")["path"]
        assert set(ours) == set(rows["path"].iloc[tested])
