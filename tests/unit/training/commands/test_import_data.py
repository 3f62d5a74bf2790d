import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hilum.errors import UsageError
from tests.support.publishers import cohen_tree, kermany_tree, picture
from training.commands.data import data
from training.data.importers.registry import IMPORTERS
from training.data.metadata import load_metadata
from training.errors import DataSetError


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(data, ["import", *map(str, arguments)])


def test_an_import_should_end_in_a_checked_set_and_a_summary(tmp_path: Path) -> None:
    tree, folder = cohen_tree(tmp_path / "tree"), tmp_path / "set"
    done = invoke("cohen", tree, folder, "--seed", 4, "--json")
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    frame = load_metadata(folder).frame
    assert summary["images"] == len(frame) == 35
    assert summary["patients"] == frame["patient_id"].nunique()
    assert (summary["linked"], summary["copied"], summary["seed"]) == (35, 0, 4)
    assert sum(record["all"] for record in summary["counts"]) == 35
    assert {record["kind"] for record in summary["counts"]} == {"frontal_cxr", "lateral_cxr", "ct"}
    assert {"reason": "view Oblique", "images": 1, "examples": ["images/oblique.jpg"]} in summary["left_out"]
    assert summary["unknown_labels"] == {"Sarcoidosis": 1}
    checked = CliRunner().invoke(data, ["check", str(folder), "--json"])
    assert checked.exit_code == 0
    assert json.loads(checked.stdout)["problems"] == []


def test_for_a_person_counts_should_go_to_stdout_and_warnings_to_stderr(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hilum", "data", "import", "cohen"]
    arguments = [str(cohen_tree(tmp_path / "tree")), str(tmp_path / "set")]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for word in ("covid19", "lateral_cxr", "drawn by patient, 80/10/10", "35 images are hard links"):
        assert word in done.stdout
    assert "Left out: 1 view Oblique (images/oblique.jpg)" in done.stderr
    assert "Unknown label 'Sarcoidosis': 1 images" in done.stderr


def test_the_options_should_reach_the_import(tmp_path: Path) -> None:
    tree = kermany_tree(tmp_path / "tree")
    kept = json.loads(invoke("kermany", tree, tmp_path / "kept", "--json").stdout)
    drawn = json.loads(invoke("kermany", tree, tmp_path / "drawn", "--resplit", "--copy", "--json").stdout)
    assert kept["split"].startswith("the publisher's")
    assert drawn["split"].startswith("drawn by patient")
    assert (drawn["linked"], drawn["copied"]) == (0, 44)


def test_a_folder_of_pictures_should_take_classes_patients_and_a_name(tmp_path: Path) -> None:
    for number in range(24):
        name = ("normal", "Viral")[number % 2]
        picture(tmp_path / "my films" / name / f"p{number // 2}-{number}.png", number)
    options = ["--class", "Viral=lung_opacity", "--patient", r"p\d+", "--json"]
    done = invoke("folder", tmp_path / "my films", tmp_path / "set", *options)
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert (summary["source"], summary["patients"]) == ("my_films", 12)
    assert "my_films:p0" in set(load_metadata(tmp_path / "set").frame["patient_id"])
    named = invoke("folder", tmp_path / "my films", tmp_path / "b", *options, "--source-name", "ward")
    assert json.loads(named.stdout)["source"] == "ward"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--class", "Viral"], "--class 'Viral': expected NAME=WHAT"),
        (["--class", "Viral=flu"], "WHAT being one of no_finding"),
        (["--patient", "p("], "--patient 'p(' is no regular expression"),
    ],
)
def test_a_wrong_option_should_be_a_usage_error(tmp_path: Path, options: list[str], expected: str) -> None:
    done = invoke("folder", tmp_path, tmp_path / "set", *options)
    assert isinstance(done.exception, UsageError)
    assert expected in str(done.exception)


def test_a_wrong_tree_should_be_refused_and_leave_nothing(tmp_path: Path) -> None:
    done = invoke("nih", kermany_tree(tmp_path / "tree"), tmp_path / "set", "--json")
    assert isinstance(done.exception, DataSetError)
    assert done.exception.exit_code == 2
    assert "it lacks Data_Entry_2017*.csv, train_val_list.txt, test_list.txt, images*" in str(done.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["tree"]


def test_help_should_list_the_names_and_say_all_of_each_set() -> None:
    listed = invoke("--help").output
    assert listed.index("Examples:") < listed.index("Names:")
    for name in IMPORTERS:
        assert f"\n  {name} " in listed.partition("Names:")[2]
        about = invoke(name, "--help").output
        assert "Licence" in about
        assert f"hilum data import {name} " in about.partition("Examples:")[2]
    assert invoke("padchest").exit_code == 2
