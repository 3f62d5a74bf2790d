from collections import Counter
from pathlib import Path

import pytest

from tests.support.publishers import import_clean, nih_tree, rows_by_origin
from training.data.importers.nih import finding_of
from training.errors import DataSetError


def test_labels_and_the_publishers_lists_should_be_kept(tmp_path: Path) -> None:
    tree = nih_tree(tmp_path / "tree")
    tests = set((tree / "test_list.txt").read_text().split())
    done = import_clean("nih", tree, tmp_path / "set")
    rows = rows_by_origin(done)
    assert {origin.rpartition("/")[2] for origin, row in rows.items() if row["split"] == "test"} == tests
    frame = done.data.frame
    assert Counter(frame["split"])["val"] in (2, 3, 4)
    by_label = {row["publisher_label"]: row["finding"] for row in rows.values()}
    assert by_label == {
        "No Finding": "no_finding",
        "Infiltration": "lung_opacity",
        "Effusion|Pneumonia": "lung_opacity",
        "Cardiomegaly|Emphysema": "",
        "Edema": "lung_opacity",
        "Hernia": "",
        "Flu": "",
    }
    assert done.found.unknown_labels == {"Flu": 1}
    first = rows["images_001/images/00000001_000.png"]
    assert (first["patient_id"], first["age"], first["sex"], first["view"]) == ("nih:1", "58", "F", "PA")
    assert rows["images_002/images/00000002_000.png"]["age"] == ""


def test_the_table_of_2020_and_all_images_in_one_folder_should_do_too(tmp_path: Path) -> None:
    tree = nih_tree(tmp_path / "tree")
    table = tree / "Data_Entry_2017.csv"
    (tree / "Data_Entry_2017_v2020.csv").write_text(table.read_text().replace("Gender", "Sex"))
    table.unlink()
    (tree / "images").mkdir()
    for path in tree.glob("images_*/images/*.png"):
        path.rename(tree / "images" / path.name)
    done = import_clean("nih", tree, tmp_path / "set")
    assert set(done.data.frame["sex"]) == {"M", "F"}


def test_half_of_the_archives_should_be_refused_or_imported_on_request(tmp_path: Path) -> None:
    tree = nih_tree(tmp_path / "tree")
    (tree / "images_002").rename(tmp_path / "elsewhere")
    with pytest.raises(DataSetError, match=r"lacks 15 of the 30 images .*--partial"):
        import_clean("nih", tree, tmp_path / "set")
    done = import_clean("nih", tree, tmp_path / "set", partial=True)
    assert len(done.data.frame) == 15
    assert len(done.found.left_out["listed, but the tree lacks the file"]) == 15


def test_an_image_in_neither_list_should_be_left_out(tmp_path: Path) -> None:
    tree = nih_tree(tmp_path / "tree")
    lines = (tree / "train_val_list.txt").read_text().split()
    (tree / "train_val_list.txt").write_text("\n".join(lines[1:]))
    done = import_clean("nih", tree, tmp_path / "set")
    assert done.found.left_out == {
        "neither in train_val_list.txt nor in test_list.txt": ["images_001/images/00000001_000.png"]
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No Finding", "no_finding"),
        ("Consolidation", "lung_opacity"),
        ("Atelectasis|Infiltration", "lung_opacity"),
        ("Pleural_Thickening", ""),
        ("No Finding|Mass", None),
        ("", None),
    ],
)
def test_labels_should_become_one_finding(text: str, expected: str | None) -> None:
    assert finding_of(text) == expected
