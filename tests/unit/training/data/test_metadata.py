import csv
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.contract import LABELS
from tests.support.data import shared_data
from training.data.metadata import (
    COLUMNS,
    METADATA,
    SPLITS,
    DataSet,
    find_problems,
    load_metadata,
    read_table,
)
from training.errors import DataSetError

Row = dict[str, str]


def row(number: int, **changes: str) -> Row:
    values = {
        "path": f"images/{number}.jpg",
        "source": "north",
        "patient_id": f"p{number}",
        "view": "PA",
        "finding": LABELS[number % 3],
        "filter_label": "valid",
        "kind": "frontal_cxr",
        "split": "train",
    }
    return values | changes


def write(folder: Path, rows: list[Row], columns: tuple[str, ...] = COLUMNS) -> Path:
    with (folder / METADATA).open("w", newline="") as stream:
        table = csv.DictWriter(stream, columns, extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
    return folder


def write_images(folder: Path, rows: list[Row]) -> None:
    (folder / "images").mkdir()
    for number, values in enumerate(rows):
        (folder / values["path"]).write_bytes(b"image %d" % number)


def test_real_set_should_have_the_counts_that_its_readme_states() -> None:
    shared = shared_data()
    if shared is None:
        pytest.skip("no real radiographs on this machine (HILUM_DATA)")
    data = load_metadata(shared / "cxr")
    lines = re.findall(r"^\| (.+) \|$", (shared / "cxr" / "README.md").read_text(), re.MULTILINE)
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    findings = {tuple(c[:2]): [int(n) for n in c[2:5]] for c in cells if len(c) == 6 and c[1] in LABELS}
    kinds = {tuple(c[:3]): [int(n) for n in c[3:6]] for c in cells if len(c) == 7 and c[0].endswith("valid")}
    assert len(findings) == 9
    assert len(kinds) == 15
    for index, split in enumerate(SPLITS):
        rows = data.classifier_rows(split)
        counted = Counter(zip(rows["source"], rows["finding"], strict=True))
        assert counted == Counter({key: numbers[index] for key, numbers in findings.items()})
        rows = data.filter_rows(split)
        counted_kinds = Counter(zip(rows["filter_label"], rows["kind"], rows["source"], strict=True))
        assert counted_kinds == Counter({key: numbers[index] for key, numbers in kinds.items()})
    assert sum(len(data.classifier_rows(split)) for split in SPLITS) == 2013
    assert len(data.frame) == 3819


def test_loading_should_keep_extra_columns_and_read_all_as_text(tmp_path: Path) -> None:
    columns = (*COLUMNS, "licence")
    write(tmp_path, [row(0, patient_id="007", licence="CC BY")], columns)
    frame = load_metadata(tmp_path).frame
    assert frame.loc[0, "licence"] == "CC BY"
    assert frame.loc[0, "patient_id"] == "007"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"finding": "pneumonia"},
            "line 3 (images/1.jpg): column finding is 'pneumonia'; expected one of no_finding",
        ),
        ({"filter_label": ""}, "column filter_label is ''; expected one of valid, non_valid"),
        ({"split": "training"}, "column split is 'training'; expected one of train, val, test"),
        ({"patient_id": ""}, "column patient_id is empty"),
        ({"path": ""}, "line 3 (no path): column path is empty"),
        ({"path": "/etc/passwd"}, "path '/etc/passwd' leaves the folder"),
        ({"path": "images/../../secret.jpg"}, "leaves the folder"),
        ({"path": "images/0.jpg"}, "path 'images/0.jpg' stands in line 2 too"),
        ({"path": "./images//0.jpg"}, "stands in line 2 too"),
    ],
)
def test_a_wrong_row_should_be_refused_by_line_and_column(
    tmp_path: Path, changes: Row, expected: str
) -> None:
    write(tmp_path, [row(0), row(1, **changes), row(2)])
    with pytest.raises(DataSetError, match=re.escape(expected)):
        load_metadata(tmp_path)


def test_patients_in_two_splits_should_be_counted_and_three_named(tmp_path: Path) -> None:
    rows = [
        row(2 * n + k, patient_id=f"p{n}", split=("train", "test")[k]) for n in range(5) for k in range(2)
    ]
    write(tmp_path, rows)
    with pytest.raises(DataSetError) as caught:
        load_metadata(tmp_path)
    message = str(caught.value)
    assert "5 patient(s)" in message
    assert "p0 (train, test), p1 (train, test), p2 (train, test) and more" in message
    assert "p3" not in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "holds no metadata.csv"),
        (b"", "no comma-separated table"),
        (",".join(COLUMNS).encode() + b"\n", "has a header but no rows"),
        (
            b"path,source\na.jpg,north\n",
            "lacks the column(s) patient_id, view, finding, filter_label, kind, split",
        ),
        (b"\xff\xfe\x00\x01path", "no comma-separated table in UTF-8"),
        (",".join(COLUMNS).encode() + b"\n" + b"x," * 12 + b"x\n", "no comma-separated table"),
    ],
)
def test_what_is_no_table_should_be_refused(tmp_path: Path, content: bytes | None, expected: str) -> None:
    if content is not None:
        (tmp_path / METADATA).write_bytes(content)
    with pytest.raises(DataSetError, match=re.escape(expected)):
        load_metadata(tmp_path)


def test_a_missing_column_should_be_named(tmp_path: Path) -> None:
    write(tmp_path, [row(0)], tuple(name for name in COLUMNS if name != "split"))
    with pytest.raises(DataSetError, match=re.escape("lacks the column(s) split; it has path, source")):
        load_metadata(tmp_path)


def test_a_row_that_ends_early_should_be_a_problem_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / METADATA).write_text(",".join(COLUMNS) + "\nimages/0.jpg,north,p0\n")
    kinds = {problem.kind for problem in find_problems(read_table(tmp_path))}
    assert kinds == {"empty_value", "bad_value"}


def test_a_byte_order_mark_should_not_hide_the_first_column(tmp_path: Path) -> None:
    write(tmp_path, [row(0)])
    (tmp_path / METADATA).write_bytes(b"\xef\xbb\xbf" + (tmp_path / METADATA).read_bytes())
    assert load_metadata(tmp_path).frame.loc[0, "path"] == "images/0.jpg"


def test_classifier_rows_should_be_the_valid_images_with_a_finding(tmp_path: Path) -> None:
    others = [row(3, finding=""), row(4, filter_label="non_valid", kind="lateral_cxr"), row(5, split="val")]
    data = load_metadata(write(tmp_path, [row(0), row(1), row(2), *others]))
    assert data.classifier_rows("train")["path"].tolist() == [f"images/{n}.jpg" for n in range(3)]
    assert len(data.filter_rows("train")) == 5


def test_a_class_without_training_images_should_be_refused_only_when_asked_for(tmp_path: Path) -> None:
    rows = [row(0), row(1), row(3, filter_label="non_valid", finding=""), row(5, split="test")]
    data = load_metadata(write(tmp_path, rows))
    with pytest.raises(DataSetError, match="no image of class covid19 in split train"):
        data.classifier_rows("train")
    assert len(data.classifier_rows("test")) == 1
    assert len(data.filter_rows("train")) == 3
    with pytest.raises(DataSetError, match="no image for this model in split val"):
        data.filter_rows("val")


def test_filter_rows_should_need_both_labels_in_training(tmp_path: Path) -> None:
    data = load_metadata(write(tmp_path, [row(0)]))
    with pytest.raises(DataSetError, match="no image of class non_valid in split train"):
        data.filter_rows("train")


@given(order=st.permutations(range(6)))
def test_digest_should_not_depend_on_the_order_of_rows(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("set")
    rows = [row(number) for number in range(6)]
    write_images(folder, rows)
    first = load_metadata(write(folder, rows)).digest()
    assert load_metadata(write(folder, [rows[index] for index in order])).digest() == first


@pytest.mark.parametrize(
    "change",
    [
        lambda folder, _: (folder / "images/1.jpg").write_bytes(b"another image"),
        lambda _, rows: rows[1].update(finding="no_finding"),
        lambda _, rows: rows[1].update(split="test"),
        lambda _, rows: rows.pop(),
    ],
)
def test_digest_should_follow_content_and_labels(
    tmp_path: Path, change: Callable[[Path, list[Row]], object]
) -> None:
    rows = [row(number) for number in range(3)]
    write_images(tmp_path, rows)
    first = load_metadata(write(tmp_path, rows)).digest()
    change(tmp_path, rows)
    assert load_metadata(write(tmp_path, rows)).digest() != first


def test_digest_should_ignore_extra_columns(tmp_path: Path) -> None:
    rows = [row(number, note="x") for number in range(3)]
    write_images(tmp_path, rows)
    first = load_metadata(write(tmp_path, rows)).digest()
    assert load_metadata(write(tmp_path, rows, (*COLUMNS, "note"))).digest() == first


def test_digest_should_name_a_missing_image(tmp_path: Path) -> None:
    data: DataSet = load_metadata(write(tmp_path, [row(0)]))
    with pytest.raises(DataSetError, match=r"images/0\.jpg stands in .* but cannot be read"):
        data.digest()
