import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from training.commands.data import data
from training.data.metadata import METADATA, load_metadata


def hilum(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hilum", "data", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("data") / "drawn"
    done = hilum("synth", folder, "--patients", 6, "--seed", 3, "--json")
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_synth_should_summarise_what_it_drew(drawn: tuple[Path, dict[str, Any]]) -> None:
    folder, summary = drawn
    loaded = load_metadata(folder)
    assert summary["images"] == len(loaded.frame) == summary["valid"] + summary["non_valid"]
    assert summary["non_valid"] == summary["patients"] == 6
    assert summary["seed"] == 3
    assert summary["digest"] == loaded.digest()


def test_synth_should_refuse_a_filled_folder_as_a_usage_error(drawn: tuple[Path, dict[str, Any]]) -> None:
    done = hilum("synth", drawn[0], "--patients", 1)
    assert done.returncode == 2
    assert "is not empty" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_should_pass_a_clean_set_and_print_its_counts(drawn: tuple[Path, dict[str, Any]]) -> None:
    done = hilum("check", drawn[0])
    assert done.returncode == 0
    assert "No problems found." in done.stdout
    for word in ("frontal_cxr", "covid19", "train", "val", "test", "all"):
        assert word in done.stdout


def test_check_should_say_first_that_the_source_gives_the_label_away(
    drawn: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder = shutil.copytree(drawn[0], tmp_path / "set")
    frame = load_metadata(folder).frame
    frame.assign(source=frame["filter_label"]).to_csv(folder / METADATA, index=False)
    done = hilum("check", folder)
    assert done.returncode == 0
    assert done.stdout.startswith("WARNING  filter: the source nearly gives the label away (Cramer's V 1.00)")


def test_check_should_warn_of_near_duplicates_and_still_exit_0(
    drawn: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder = shutil.copytree(drawn[0], tmp_path / "set")
    rows = load_metadata(folder).frame
    first, second = rows[rows["filter_label"] == "valid"].drop_duplicates("patient_id")["path"][:2]
    with Image.open(folder / first) as picture:
        picture.rotate(2).save(folder / second, quality=50)
    done = hilum("check", folder, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["problems"] == []
    (pair,) = answer["near_duplicates"]
    assert (pair["kind"], sorted(pair["paths"])) == (
        "near_duplicate_of_another_patient",
        sorted([first, second]),
    )
    assert {shortcut["network"] for shortcut in answer["shortcuts"]} == {"filter", "classifier"}
    done = hilum("check", folder)
    assert "No problems found. 1 warning(s)." in done.stdout
    assert first in done.stderr
    assert second in done.stderr


def test_check_should_list_problems_and_exit_1(drawn: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder = shutil.copytree(drawn[0], tmp_path / "set")
    paths = load_metadata(folder).frame["path"].tolist()
    (folder / paths[0]).unlink()
    (folder / paths[1]).write_bytes(b"rubbish")
    done = hilum("check", folder, "--json")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert {(item["kind"], item["path"]) for item in answer["problems"]} == {
        ("missing_file", paths[0]),
        ("unreadable_file", paths[1]),
    }
    assert sum(record["all"] for record in answer["counts"]) == answer["images"] == len(paths)
    assert "2 problem(s)" in done.stderr


def test_check_should_exit_2_where_there_is_no_data_set(tmp_path: Path) -> None:
    done = hilum("check", tmp_path, "--json")
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"holds no {METADATA}" in done.stderr


@pytest.mark.parametrize("command", ["check", "synth"])
def test_help_should_show_examples(command: str) -> None:
    answer = CliRunner().invoke(data, [command, "--help"])
    assert answer.exit_code == 0
    assert f"hilum data {command} " in answer.output.partition("Examples:")[2]
