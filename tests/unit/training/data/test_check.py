import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from training.data.check import check_data_set
from training.data.metadata import METADATA
from training.errors import DataSetError

Rows = list[dict[str, str]]
Plant = Callable[[Path, Rows], object]


def rewrite(folder: Path, change: Plant) -> None:
    """Change the rows of a table, or the files beside it."""
    with (folder / METADATA).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    change(folder, rows)
    with (folder / METADATA).open("w", newline="") as stream:
        table = csv.DictWriter(stream, rows[0])
        table.writeheader()
        table.writerows(rows)


def of_split(rows: Rows, split: str, number: int = 0) -> dict[str, str]:
    return [row for row in rows if row["split"] == split][number]


def remove_file(folder: Path, rows: Rows) -> None:
    (folder / rows[3]["path"]).unlink()


def cut_file(folder: Path, rows: Rows) -> None:
    path = folder / rows[4]["path"]
    path.write_bytes(path.read_bytes()[:40])


def copy_across_splits(folder: Path, rows: Rows) -> None:
    shutil.copy(folder / of_split(rows, "train")["path"], folder / of_split(rows, "test")["path"])


def tear_patient(_: Path, rows: Rows) -> None:
    of_split(rows, "test")["patient_id"] = of_split(rows, "train")["patient_id"]


def repeat_row(_: Path, rows: Rows) -> None:
    rows.append(dict(rows[5]))


PLANTS: dict[str, Plant] = {
    "missing_file": remove_file,
    "unreadable_file": cut_file,
    "copy_across_splits": copy_across_splits,
    "patient_in_two_splits": tear_patient,
    "duplicate_path": repeat_row,
    "bad_value": lambda _, rows: rows[6].update(finding="flu"),
    "empty_value": lambda _, rows: rows[7].update(source=""),
    "bad_path": lambda _, rows: rows[8].update(path="../secret.jpg"),
}


@pytest.fixture
def planted(synthetic: Path, tmp_path: Path) -> Path:
    return shutil.copytree(synthetic, tmp_path / "set")


@pytest.mark.parametrize("kind", PLANTS)
def test_a_planted_problem_should_be_found_and_nothing_else(planted: Path, kind: str) -> None:
    rewrite(planted, PLANTS[kind])
    problems = check_data_set(planted).problems
    assert [problem.kind for problem in problems] == [kind]


def test_all_problems_should_be_listed_at_once(planted: Path) -> None:
    for plant in PLANTS.values():
        rewrite(planted, plant)
    assert {problem.kind for problem in check_data_set(planted).problems} >= set(PLANTS)


def test_a_file_problem_should_name_the_file_and_the_decoders_reason(planted: Path) -> None:
    rewrite(planted, cut_file)
    (problem,) = check_data_set(planted).problems
    assert problem.path in problem.message
    assert len(problem.message) > len(problem.path) + 20


def test_a_copy_should_name_both_places(planted: Path) -> None:
    rewrite(planted, copy_across_splits)
    (problem,) = check_data_set(planted).problems
    assert "(train)" in problem.message
    assert "(test)" in problem.message


def test_a_path_that_leaves_the_folder_should_not_be_opened(planted: Path) -> None:
    (planted.parent / "secret.jpg").write_bytes(b"no image")
    rewrite(planted, PLANTS["bad_path"])
    assert [problem.kind for problem in check_data_set(planted).problems] == ["bad_path"]


def test_a_clean_set_should_be_counted_by_class_source_and_split(synthetic: Path) -> None:
    report = check_data_set(synthetic)
    assert report.problems == ()
    with (synthetic / METADATA).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert report.images == len(rows)
    assert report.patients == len({row["patient_id"] for row in rows})
    assert report.counts["all"].sum() == len(rows)
    for record in report.counts.to_dict("records"):
        for split in ("train", "val", "test"):
            same = [
                row
                for row in rows
                if row["split"] == split
                and all(row[name] == record[name] for name in ("filter_label", "kind", "finding", "source"))
            ]
            assert record[split] == len(same)


def test_what_is_no_data_set_should_be_refused(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="is no data set"):
        check_data_set(tmp_path)
