from collections import Counter
from pathlib import Path

import pytest

from tests.support.publishers import cohen_row, cohen_tree, import_clean, picture, rows_by_origin, table
from training.data.importers.cohen import diagnosis
from training.errors import DataSetError


def test_diagnoses_should_become_findings_and_all_views_their_kinds(tmp_path: Path) -> None:
    done = import_clean("cohen", cohen_tree(tmp_path / "tree"), tmp_path / "set")
    frame = done.data.frame
    assert Counter(frame["finding"]) == {"covid19": 24, "lung_opacity": 5, "no_finding": 1, "": 5}
    assert Counter(frame["kind"]) == {"frontal_cxr": 33, "lateral_cxr": 1, "ct": 1}
    assert set(frame.loc[frame["filter_label"] == "non_valid", "kind"]) == {"lateral_cxr", "ct"}
    rows = rows_by_origin(done)
    assert rows["images/side.jpg"] | {"split": ""} == {
        "path": "images/cohen/images/side.jpg",
        "source": "cohen",
        "patient_id": "cohen:0",
        "view": "lateral",
        "finding": "",
        "filter_label": "non_valid",
        "kind": "lateral_cxr",
        "split": "",
        "publisher_label": "Pneumonia/Viral/COVID-19",
        "sex": "M",
        "age": "65",
        "pathogen": "virus",
        "license": "CC BY-NC-SA",
        "origin_path": "images/side.jpg",
    }
    assert rows["images/sars.jpg"]["view"] == "AP"
    assert rows["images/sars.jpg"]["license"] == "not stated"
    assert rows["images/klebsiella.jpg"]["pathogen"] == "bacteria"
    assert (rows["images/klebsiella.jpg"]["sex"], rows["images/klebsiella.jpg"]["age"]) == ("F", "")


def test_what_is_left_out_should_say_why(tmp_path: Path) -> None:
    done = import_clean("cohen", cohen_tree(tmp_path / "tree"), tmp_path / "set")
    assert done.found.left_out == {
        "a volume or a file of another kind, not a picture": ["images/volume.nii.gz"],
        "view Oblique": ["images/oblique.jpg"],
        "listed a second time": ["images/covid-4.jpeg"],
        "not listed in metadata.csv": ["images/unlisted.png"],
    }
    assert done.found.unknown_labels == {"Sarcoidosis": 1}


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("COVID-19", ("covid19", "virus")),
        ("COVID-19, ARDS", ("covid19", "virus")),
        ("Pneumonia/Viral/COVID-19", ("covid19", "virus")),
        ("SARS", ("lung_opacity", "virus")),
        ("ARDS", ("lung_opacity", "")),
        ("Streptococcus", ("lung_opacity", "bacteria")),
        ("Pneumonia/Bacterial/Staphylococcus/MRSA", ("lung_opacity", "bacteria")),
        ("Pneumonia/Fungal/Aspergillosis", ("lung_opacity", "fungus")),
        ("Pneumonia/Aspiration", ("lung_opacity", "")),
        ("No Finding", ("no_finding", "")),
        ("Unknown", ("", "")),
        ("Flu", (None, "")),
    ],
)
def test_a_diagnosis_of_any_version_should_be_known(label: str, expected: tuple[str | None, str]) -> None:
    assert diagnosis(label) == expected


def test_a_table_of_another_version_should_be_refused_by_its_columns(tmp_path: Path) -> None:
    row = cohen_row("1", "COVID-19", "a.jpg")
    picture(tmp_path / "tree" / "images" / "a.jpg", 0)
    table(tmp_path / "tree" / "metadata.csv", [row], [key for key in row if key not in ("view", "license")])
    with pytest.raises(DataSetError, match=r"its metadata\.csv lacks the column\(s\) view, license; it has"):
        import_clean("cohen", tmp_path / "tree", tmp_path / "set")
