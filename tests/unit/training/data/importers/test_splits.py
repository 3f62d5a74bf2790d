import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.importers.records import Picture
from training.data.importers.splits import settle_splits
from training.errors import DataSetError


def film(number: int, patient: int, finding: str = "", split: str = "") -> Picture:
    origin = f"{number}.png"
    return Picture(origin=origin, file=Path(origin), patient=str(patient), finding=finding, split=split)


def torn(pictures: list[Picture], splits: list[str]) -> list[str]:
    parts: dict[str, set[str]] = defaultdict(set)
    for picture, split in zip(pictures, splits, strict=True):
        parts[picture.patient].add(split)
    return [patient for patient, found in parts.items() if len(found) > 1]


@given(
    owners=st.lists(st.integers(0, 40), min_size=60, max_size=150),
    findings=st.lists(st.sampled_from(["covid19", "lung_opacity", "no_finding", ""]), min_size=150),
    seed=st.integers(0, 9),
)
@settings(max_examples=15, deadline=None)
def test_no_draw_should_tear_a_patient(owners: list[int], findings: list[str], seed: int) -> None:
    if len(set(owners)) < 10:
        owners = [*owners, *range(10)]
    pictures = [
        film(n, owner, finding) for n, (owner, finding) in enumerate(zip(owners, findings, strict=False))
    ]
    splits, _ = settle_splits(pictures, seed, resplit=False)
    assert torn(pictures, splits) == []
    assert settle_splits(pictures, seed, resplit=False)[0] == splits


def test_a_draw_should_give_each_finding_80_10_10(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    names = ["covid19"] * 100 + ["lung_opacity"] * 300 + ["no_finding"] * 600
    pictures = [film(n, int(rng.integers(0, 500)) + 1000 * len(name), name) for n, name in enumerate(names)]
    splits, sentence = settle_splits(pictures, 7, resplit=False)
    counts = Counter(zip(names, splits, strict=True))
    for name, total in Counter(names).items():
        assert abs(counts[name, "test"] - total / 10) <= max(2, total / 50)
        assert abs(counts[name, "val"] - total / 10) <= max(2, total / 50)
    assert "seed 7" in sentence
    assert settle_splits(pictures, 8, resplit=False)[0] != splits


def test_classes_all_smaller_than_a_fold_should_still_be_split() -> None:
    pictures = [film(n, n, ("covid19", "no_finding", "lung_opacity")[n % 3]) for n in range(15)]
    splits, _ = settle_splits(pictures, 0, resplit=False)
    assert {"train", "val", "test"} == set(splits)


def test_a_publishers_split_should_be_kept_whole() -> None:
    pictures = [film(n, n, "covid19", "test" if n > 70 else "val" if n > 20 else "train") for n in range(90)]
    assert settle_splits(pictures, 0, resplit=False) == ([p.split for p in pictures], "the publisher's")


def test_too_few_patients_should_be_refused() -> None:
    pictures = [film(n, n % 9) for n in range(50)]
    with pytest.raises(DataSetError, match=re.escape("9 patient(s) are too few")):
        settle_splits(pictures, 0, resplit=False)
