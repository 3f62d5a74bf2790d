import re
from functools import partial
from pathlib import Path

import pytest

from tests.support.publishers import picture
from training.data.importers.folder import PUBLISHER, read
from training.data.importers.run import Imported, import_data_set
from training.errors import DataSetError


def films(root: Path, places: list[str]) -> Path:
    for number, place in enumerate(places):
        picture(root / place, number)
    return root


def imported(root: Path, folder: Path, **options: object) -> Imported:
    return import_data_set(PUBLISHER, partial(read, **options), root, folder)  # type: ignore[arg-type]  # test


def findings(done: Imported) -> dict[str, tuple[str, str]]:
    frame = done.data.frame
    return dict(zip(frame["publisher_label"], zip(frame["finding"], frame["kind"], strict=True), strict=True))


def test_folders_should_be_known_by_their_names_however_they_are_written(tmp_path: Path) -> None:
    names = ["No Finding", "PNEUMONIA", "COVID-19", "lung_opacity", "valid", "ct", "Lateral CXR", "natural"]
    root = films(tmp_path / "films", [f"{name}/{n}.png" for name in names for n in range(3)])
    (root / "ct" / "Thumbs.db").write_bytes(b"")
    (root / "notes.txt").write_text("mine")
    done = imported(root, tmp_path / "set")
    assert findings(done) == {
        "No Finding": ("no_finding", "frontal_cxr"),
        "PNEUMONIA": ("lung_opacity", "frontal_cxr"),
        "COVID-19": ("covid19", "frontal_cxr"),
        "lung_opacity": ("lung_opacity", "frontal_cxr"),
        "valid": ("", "frontal_cxr"),
        "ct": ("", "ct"),
        "Lateral CXR": ("", "lateral_cxr"),
        "natural": ("", "natural"),
    }
    assert done.found.left_out == {
        "no picture that Hilum decodes": ["ct/Thumbs.db"],
        "in no class's folder": ["notes.txt"],
    }
    assert done.data.frame["patient_id"].nunique() == 24


def test_another_folder_should_be_refused_unless_the_user_says_what_it_holds(tmp_path: Path) -> None:
    places = [f"{name}/{n}.png" for name in ("normal", "Viral Pneumonia", "masks") for n in range(6)]
    root = films(tmp_path / "films", places)
    with pytest.raises(
        DataSetError, match=r"its folder Viral Pneumonia stands for no class .*--class 'Viral"
    ):
        imported(root, tmp_path / "set")
    done = imported(root, tmp_path / "set", classes={"viral_pneumonia": "lung_opacity", "masks": "skip"})
    assert set(findings(done)) == {"normal", "Viral Pneumonia"}
    assert len(done.found.left_out["in the skipped folder masks"]) == 6


def test_patients_should_be_folders_or_what_the_pattern_finds(tmp_path: Path) -> None:
    places = [f"{kind}/p{n}/{film}.png" for kind in ("normal", "covid") for n in range(10) for film in "ab"]
    root = films(tmp_path / "films", places)
    frame = imported(root, tmp_path / "by-folder").data.frame
    assert set(frame["patient_id"]) == {f"folder:p{n}" for n in range(10)}
    frame = imported(root, tmp_path / "by-name", patient=re.compile(r"p(\d+)/[ab]")).data.frame
    assert set(frame["patient_id"]) == {f"folder:{n}" for n in range(10)}
    frame = imported(root, tmp_path / "no-match", patient=re.compile("x")).data.frame
    assert "folder:covid/p0/a" in set(frame["patient_id"])


def test_a_split_should_be_kept_when_all_pictures_have_one(tmp_path: Path) -> None:
    places = [f"{split}/normal/{split}{n}.png" for split in ("train", "val", "test") for n in range(4)]
    root = films(tmp_path / "films", places)
    frame = imported(root, tmp_path / "set").data.frame
    assert frame["origin_path"].str.split("/").str[0].tolist() == frame["split"].tolist()
    films(root, ["covid/extra.png"])
    assert imported(root, tmp_path / "mixed").split.startswith("drawn by patient")
