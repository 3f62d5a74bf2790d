import csv
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from hilum.contract import LABELS
from training.data.metadata import METADATA, SPLITS, load_metadata
from training.data.pictures import KINDS
from training.data.synthetic import SOURCES, draw_data_set
from training.errors import DataSetError


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_should_write_the_same_bytes(synthetic: Path, tmp_path: Path) -> None:
    draw_data_set(tmp_path / "again", patients=17, seed=5)
    assert contents(tmp_path / "again") == contents(synthetic)


def test_another_seed_should_draw_other_pictures(synthetic: Path, tmp_path: Path) -> None:
    draw_data_set(tmp_path / "other", patients=2, seed=6)
    first = contents(synthetic)
    pictures = {name: data for name, data in contents(tmp_path / "other").items() if name != METADATA}
    assert all(first.get(name) != data for name, data in pictures.items())


def test_a_larger_set_should_begin_with_the_smaller_one(synthetic: Path, tmp_path: Path) -> None:
    draw_data_set(tmp_path / "larger", patients=30, seed=5)  # enough to be drawn by worker processes
    small, large = contents(synthetic), contents(tmp_path / "larger")
    assert large.pop(METADATA).startswith(small.pop(METADATA))
    assert small.items() <= large.items()


def test_a_set_should_load_with_every_class_in_every_split(synthetic: Path) -> None:
    data = load_metadata(synthetic)
    for split in SPLITS:
        assert set(data.classifier_rows(split)["finding"]) == set(LABELS)
        assert set(data.filter_rows(split)["filter_label"]) == {"valid", "non_valid"}
    assert set(data.frame["kind"]) == {"frontal_cxr", *KINDS}
    assert set(data.frame["source"]) == set(SOURCES)


def test_splits_should_be_by_patient_and_about_70_15_15(tmp_path: Path) -> None:
    draw_data_set(tmp_path / "set", patients=60, seed=0)
    frame = load_metadata(tmp_path / "set").frame
    patients = frame[frame["filter_label"] == "valid"].drop_duplicates("patient_id")
    for finding in LABELS:
        splits = Counter(patients.loc[patients["finding"] == finding, "split"])
        assert splits == {"train": 14, "val": 3, "test": 3}
    films = frame[frame["filter_label"] == "valid"].groupby("patient_id").size()
    assert set(films) == {1, 2}


def test_pictures_should_be_jpeg_of_256_to_384_px(synthetic: Path) -> None:
    frame = load_metadata(synthetic).frame
    for path, kind in zip(frame["path"], frame["kind"], strict=True):
        with Image.open(synthetic / path) as picture:
            assert picture.format == "JPEG"
            assert 256 <= max(picture.size) <= 384
            assert picture.mode == ("RGB" if kind in ("natural", "document") else "L")


def test_nothing_should_be_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataSetError, match="is not empty"):
        draw_data_set(tmp_path, patients=1, seed=0)
    with pytest.raises(DataSetError, match="is not empty"):
        draw_data_set(tmp_path / "mine.txt", patients=1, seed=0)
    assert contents(tmp_path) == {"mine.txt": b"mine"}


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    images = draw_data_set(tmp_path / "empty", patients=1, seed=0)
    with (tmp_path / "empty" / METADATA).open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == images


def test_an_interrupted_set_should_leave_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hilum", "data", "synth", str(tmp_path / "set"), "--patients", "3000"]
    drawing = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while not any(tmp_path.rglob("*.jpg")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(drawing.pid, signal.SIGINT)  # as a terminal does: workers get it too
    _, said = drawing.communicate(timeout=60)
    assert drawing.returncode == 130
    assert "Interrupted" in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []
