from collections import Counter
from pathlib import Path

import pytest

from tests.support.publishers import chexpert_row, chexpert_tree, import_clean, picture, rows_by_origin, table
from training.errors import DataSetError


def test_radiologists_labels_should_be_the_test_split_and_laterals_negatives(tmp_path: Path) -> None:
    done = import_clean("chexpert", chexpert_tree(tmp_path / "CheXpert-v1.0-small"), tmp_path / "set")
    rows = rows_by_origin(done)
    for origin, row in rows.items():
        assert (row["split"] == "test") == origin.startswith("valid/")
        assert (row["kind"] == "lateral_cxr") == origin.endswith("lateral.jpg") == (row["view"] == "lateral")
    frontal = done.data.frame[done.data.frame["filter_label"] == "valid"]
    assert Counter(frontal["finding"]) == {"no_finding": 6, "lung_opacity": 9, "": 5}
    assert "val" in set(done.data.frame["split"])
    assert done.found.left_out == {}


def test_uncertain_and_absent_observations_should_give_no_finding_but_be_told(tmp_path: Path) -> None:
    done = import_clean("chexpert", chexpert_tree(tmp_path / "tree"), tmp_path / "set")
    rows = rows_by_origin(done)
    uncertain = rows["train/patient00002/study2/view1_frontal.jpg"]
    assert (uncertain["finding"], uncertain["publisher_label"]) == ("", "Pneumonia?")
    both = rows["train/patient00002/study1/view1_frontal.jpg"]
    assert (both["finding"], both["publisher_label"]) == ("lung_opacity", "Edema|Pleural Effusion")
    unknown = rows["train/patient00003/study2/view1_frontal.jpg"]
    assert (unknown["finding"], unknown["publisher_label"], unknown["sex"]) == ("", "", "")
    assert (both["sex"], both["age"], both["view"]) == ("F", "68", "AP")
    assert rows["valid/patient64541/study1/view1_frontal.jpg"]["finding"] == "no_finding"


def test_a_state_that_is_not_known_should_be_reported(tmp_path: Path) -> None:
    tree = chexpert_tree(tmp_path / "tree")
    path = "valid/patient64540/study1/view1_frontal.jpg"
    picture(tree / path, 500)
    table(tree / "valid.csv", [chexpert_row(path, Edema="2.0")])
    done = import_clean("chexpert", tree, tmp_path / "set")
    assert done.found.unknown_labels == {"Edema=2.0": 1}
    assert rows_by_origin(done)[path]["finding"] == ""
    assert sorted(done.found.left_out) == ["not listed in valid.csv"]


def test_a_tree_without_valid_should_be_refused(tmp_path: Path) -> None:
    tree = chexpert_tree(tmp_path / "tree")
    (tree / "valid.csv").unlink()
    with pytest.raises(DataSetError, match=r"is not CheXpert .*it lacks valid\.csv"):
        import_clean("chexpert", tree, tmp_path / "set")
