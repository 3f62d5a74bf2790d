from collections import Counter
from pathlib import Path

import pytest

from tests.support.publishers import figure1_tree, import_clean, rows_by_origin
from training.errors import DataSetError


def test_films_should_be_found_by_the_patients_name_and_grouped_without_their_letter(tmp_path: Path) -> None:
    done = import_clean("figure1", figure1_tree(tmp_path / "tree"), tmp_path / "set")
    frame = done.data.frame
    assert Counter(frame["finding"]) == {"covid19": 10, "lung_opacity": 2, "no_finding": 1, "": 3}
    assert frame["patient_id"].nunique() == 15
    rows = rows_by_origin(done)
    first = rows["images/COVID-00011a.jpg"]
    assert (first["patient_id"], first["view"], first["sex"]) == ("figure1:COVID-00011", "AP", "M")
    assert rows["images/COVID-00012.jpg"]["age"] == ""
    assert rows["images/COVID-00001.jpg"]["view"] == "unknown"
    assert (frame["filter_label"] == "valid").all()
    assert done.found.unknown_labels == {"Pneumothorax": 1}


def test_films_that_are_missing_should_be_counted_and_named(tmp_path: Path) -> None:
    tree = figure1_tree(tmp_path / "tree")
    (tree / "images" / "COVID-00002.png").unlink()
    (tree / "images" / "COVID-00004.png").unlink()
    expected = r"lacks 2 of the 16 images that its tables list \(images/COVID-00002, images/COVID-00004\)"
    with pytest.raises(DataSetError, match=expected):
        import_clean("figure1", tree, tmp_path / "set")
    done = import_clean("figure1", tree, tmp_path / "set", partial=True)
    assert len(done.data.frame) == 14
    assert done.found.left_out == {
        "listed, but the tree lacks the file": ["images/COVID-00002", "images/COVID-00004"]
    }
