import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

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


def replace_by_crop(folder: Path, rows: Rows, *, of: dict[str, str], target: dict[str, str]) -> None:
    """Put a smaller, cropped, recompressed copy of one image in the place of another."""
    with Image.open(folder / of["path"]) as picture:
        width, height = picture.size
        cropped = (
            picture.convert("L").crop((0, height // 10, width, height)).resize((width // 2, height // 2))
        )
    cropped.save(folder / target["path"], quality=60)


def films(rows: Rows, split: str) -> list[dict[str, str]]:
    return [row for row in rows if row["split"] == split and row["filter_label"] == "valid"]


def test_a_near_duplicate_across_splits_should_be_a_warning_with_both_paths(planted: Path) -> None:
    def plant(folder: Path, rows: Rows) -> None:
        replace_by_crop(folder, rows, of=films(rows, "train")[0], target=films(rows, "test")[0])

    rewrite(planted, plant)
    with (planted / METADATA).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    report = check_data_set(planted)
    assert report.problems == ()
    (pair,) = report.near_duplicates
    assert pair.kind == "near_duplicate_across_splits"
    assert set(zip(pair.paths, pair.splits, strict=True)) == {
        (films(rows, split)[0]["path"], split) for split in ("train", "test")
    }
    assert 0 < pair.distance < 0.17
    assert all(path in pair.message for path in pair.paths)


@pytest.mark.parametrize("whose", ["the same patient's", "another patient's"])
def test_a_near_duplicate_within_a_split_should_matter_between_patients_only(
    planted: Path, whose: str
) -> None:
    def plant(folder: Path, rows: Rows) -> None:
        of = films(rows, "train")[0]
        target = next(row for row in films(rows, "train") if row["patient_id"] != of["patient_id"])
        replace_by_crop(folder, rows, of=of, target=target)
        if whose == "the same patient's":
            for row in [row for row in rows if row["patient_id"] == target["patient_id"]]:
                row["patient_id"] = of["patient_id"]

    rewrite(planted, plant)
    kinds = [pair.kind for pair in check_data_set(planted).near_duplicates]
    assert kinds == ([] if whose == "the same patient's" else ["near_duplicate_of_another_patient"])


def test_an_exact_copy_across_splits_should_be_a_problem_and_no_warning_too(planted: Path) -> None:
    rewrite(planted, copy_across_splits)
    with (planted / METADATA).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    report = check_data_set(planted)
    assert [problem.kind for problem in report.problems] == ["copy_across_splits"]
    copies = {of_split(rows, split)["path"] for split in ("train", "test")}
    assert copies not in [set(pair.paths) for pair in report.near_duplicates]


def test_sources_that_give_the_label_away_should_be_measured(planted: Path, synthetic: Path) -> None:
    def plant(_: Path, rows: Rows) -> None:
        for row in rows:
            row["source"] = row["finding"] or row["kind"]

    rewrite(planted, plant)
    by_network = {shortcut.network: shortcut for shortcut in check_data_set(planted).shortcuts}
    assert by_network["classifier"].cramers_v == pytest.approx(1)
    assert by_network["filter"].guess_accuracy == 1
    assert all(shortcut.is_high for shortcut in by_network.values())
    assert not any(shortcut.is_high for shortcut in check_data_set(synthetic).shortcuts)


def test_a_path_that_leaves_the_folder_should_not_be_opened(planted: Path) -> None:
    (planted.parent / "secret.jpg").write_bytes(b"no image")
    rewrite(planted, PLANTS["bad_path"])
    assert [problem.kind for problem in check_data_set(planted).problems] == ["bad_path"]


def test_a_clean_set_should_be_counted_by_class_source_and_split(synthetic: Path) -> None:
    report = check_data_set(synthetic)
    assert report.problems == ()
    assert report.near_duplicates == ()
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
