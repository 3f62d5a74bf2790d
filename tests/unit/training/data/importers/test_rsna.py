from collections import Counter
from pathlib import Path

import pytest

from tests.support.publishers import import_clean, rows_by_origin, rsna_tree
from training.errors import DataSetError

IMAGES = "stage_2_train_images"
MAPPING = "pneumonia-challenge-dataset-mappings_2018.json"


def test_boxes_should_make_one_row_per_image_and_headers_give_view_sex_and_age(tmp_path: Path) -> None:
    done = import_clean("rsna", rsna_tree(tmp_path / "tree"), tmp_path / "set")
    frame = done.data.frame
    assert Counter(frame["finding"]) == {"no_finding": 12, "lung_opacity": 8, "": 6}
    assert Counter(frame["publisher_label"])["No Lung Opacity / Not Normal"] == 6
    row = next(row for origin, row in rows_by_origin(done).items() if "/00000001-" in origin)
    assert (row["view"], row["sex"], row["age"]) == ("PA", "F", "31")
    assert done.found.left_out == {}


def test_films_of_one_nih_patient_should_stay_together(tmp_path: Path) -> None:
    done = import_clean("rsna", rsna_tree(tmp_path / "tree"), tmp_path / "set")
    assert done.data.frame["patient_id"].nunique() == 13
    assert "rsna:nih-00000000" in set(done.data.frame["patient_id"])
    assert done.found.notes == []


def test_without_the_mapping_each_image_should_be_a_patient_and_a_note_should_say_so(tmp_path: Path) -> None:
    done = import_clean("rsna", rsna_tree(tmp_path / "tree", mapping=False), tmp_path / "set")
    assert done.data.frame["patient_id"].nunique() == 26
    assert MAPPING in done.found.notes[0]


def test_labels_that_disagree_and_files_that_are_no_dicom_should_be_left_out(tmp_path: Path) -> None:
    tree = rsna_tree(tmp_path / "tree")
    files = sorted((tree / IMAGES).iterdir())
    files[0].write_bytes(b"no DICOM at all")
    targets = tree / "stage_2_train_labels.csv"
    targets.write_text(targets.read_text().replace(f"{files[1].stem},,,,,0", f"{files[1].stem},1,1,1,1,1"))
    done = import_clean("rsna", tree, tmp_path / "set")
    assert done.found.left_out == {
        "not a readable DICOM file": [f"{IMAGES}/{files[0].name}"],
        "stage_2_detailed_class_info.csv and stage_2_train_labels.csv disagree": [
            f"{IMAGES}/{files[1].name}"
        ],
    }


def test_a_wrong_mapping_and_a_missing_table_should_be_refused(tmp_path: Path) -> None:
    tree = rsna_tree(tmp_path / "tree")
    (tree / MAPPING).write_text('[{"img": "00000001_000.png"}]')
    with pytest.raises(DataSetError, match="is no list of records with subset_img_id and img_id"):
        import_clean("rsna", tree, tmp_path / "set")
    (tree / "stage_2_train_labels.csv").unlink()
    with pytest.raises(DataSetError, match=r"it lacks stage_2_train_labels\.csv"):
        import_clean("rsna", tree, tmp_path / "set")
