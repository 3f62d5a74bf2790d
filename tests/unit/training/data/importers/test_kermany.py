from collections import Counter
from pathlib import Path

import pytest

from tests.support.publishers import import_clean, kermany_tree, picture, rows_by_origin
from training.data.importers.kermany import identify
from training.errors import DataSetError


def test_the_publishers_split_should_be_kept_and_a_tiny_validation_part_named(tmp_path: Path) -> None:
    done = import_clean("kermany", kermany_tree(tmp_path / "tree"), tmp_path / "set")
    frame = done.data.frame
    assert Counter(zip(frame["split"], frame["finding"], strict=True)) == {
        ("train", "no_finding"): 15,
        ("train", "lung_opacity"): 15,
        ("val", "no_finding"): 2,
        ("val", "lung_opacity"): 2,
        ("test", "no_finding"): 5,
        ("test", "lung_opacity"): 5,
    }
    assert Counter(frame["pathogen"]) == {"": 22, "bacteria": 12, "virus": 10}
    assert done.split.startswith("the publisher's; its validation part holds only 4 images")
    first = rows_by_origin(done)["test/PNEUMONIA/person1_virus_6.jpeg"]
    assert (first["patient_id"], first["view"]) == ("kermany:virus-1", "AP")


def test_without_val_validation_should_be_drawn_from_train_alone(tmp_path: Path) -> None:
    done = import_clean("kermany", kermany_tree(tmp_path / "tree", val=False), tmp_path / "set")
    for origin, row in rows_by_origin(done).items():
        assert (row["split"] == "test") == origin.startswith("test/")
    assert 2 <= (done.data.frame["split"] == "val").sum() <= 4
    assert "a tenth of its training patients" in done.split


def test_a_patient_in_two_parts_should_cost_the_publishers_split(tmp_path: Path) -> None:
    tree = kermany_tree(tmp_path / "tree")
    picture(tree / "chest_xray" / "test" / "PNEUMONIA" / "person1_bacteria_999.jpeg", 999)
    done = import_clean("kermany", tree, tmp_path / "set")
    assert "the publisher's was not kept: 1 of its patients stand in more than one part" in done.split


def test_resplit_should_draw_over_the_publishers_split(tmp_path: Path) -> None:
    done = import_clean("kermany", kermany_tree(tmp_path / "tree"), tmp_path / "set", resplit=True)
    assert done.split.startswith("drawn by patient, 80/10/10")


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("person1000_bacteria_2931", ("bacteria-1000", "bacteria")),
        ("person1000_virus_1681", ("virus-1000", "virus")),
        ("IM-0115-0001", ("IM-0115", "")),
        ("IM-0429-0001-0002", ("IM-0429", "")),
        ("NORMAL2-IM-0173-0001-0002", ("NORMAL2-IM-0173", "")),
        ("NORMAL-1003233-0001", ("NORMAL-1003233", "")),
        ("BACTERIA-1008087-0001", ("BACTERIA-1008087", "bacteria")),
        ("VIRUS-1062943-0002", ("VIRUS-1062943", "virus")),
        ("covid-1", ("", "")),
    ],
)
def test_a_file_name_should_name_its_patient(stem: str, expected: tuple[str, str]) -> None:
    assert identify(stem) == expected


def test_strangers_should_be_left_out(tmp_path: Path) -> None:
    tree = kermany_tree(tmp_path / "tree") / "chest_xray"
    picture(tree / "train" / "COVID" / "person5000_virus_1.jpeg", 900)
    picture(tree / "train" / "NORMAL" / "mine.jpeg", 901)
    picture(tree / "__MACOSX" / "train" / "NORMAL" / "IM-0115-0001.jpeg", 902)
    (tree / "train" / "NORMAL" / "._IM-0115-0001.jpeg").write_bytes(b"Mac")
    done = import_clean("kermany", tree, tmp_path / "set")
    assert len(done.data.frame) == 44
    assert done.found.left_out == {
        "in a folder that is neither NORMAL nor PNEUMONIA": ["train/COVID/person5000_virus_1.jpeg"],
        "no patient in the file name": ["train/NORMAL/mine.jpeg"],
    }


def test_a_tree_without_test_should_be_refused(tmp_path: Path) -> None:
    tree = kermany_tree(tmp_path / "tree") / "chest_xray"
    (tree / "test").rename(tree / "holdout")
    with pytest.raises(
        DataSetError, match=r"it lacks test/NORMAL, test/PNEUMONIA\.\n.*Expected: chest_xray/"
    ):
        import_clean("kermany", tree, tmp_path / "set")
