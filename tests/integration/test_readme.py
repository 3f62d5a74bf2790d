"""The README's commands, run as a newcomer would: the whole pipeline once through, on drawn radiographs."""

import csv
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support.data import REPOSITORY
from tests.support.ports import port_variables

README = (REPOSITORY / "README.md").read_text()


def code_blocks(language: str) -> list[str]:
    """Return the README's fenced blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands(block: str) -> list[str]:
    """Return a shell block's commands without their comments."""
    return [line.split("  #")[0].strip() for line in block.splitlines() if line.strip()]


STEPS = next(commands(block) for block in code_blocks("bash") if "hilum data synth" in block)

SHORTER = {"--max-minutes 1.5": "--epochs 6", "--max-minutes 1": "--epochs 1"}
"""Trainings end after epochs here: what they reach then does not depend on how busy the machine is."""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A working folder and an environment with free ports; whatever runs in it is stopped at the end."""
    folder = tmp_path_factory.mktemp("newcomer")
    variables = {name: value for name, value in os.environ.items() if not name.startswith("HILUM_")}
    variables["PATH"] = f"{Path(sys.executable).parent}:{variables['PATH']}"
    variables |= port_variables()
    yield folder, variables
    subprocess.run(["hilum", "down"], cwd=folder, env=variables, check=False, timeout=120)


def shell(command: str, folder: Path, variables: dict[str, str]) -> str:
    """Run one command, show what it said if it fails, and return its standard output."""
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def walked(environment: tuple[Path, dict[str, str]]) -> dict[str, str]:
    """What each step printed, up to the one that stops the servers."""
    folder, variables = environment
    return {step: shell(shorter(step), folder, variables) for step in STEPS if step != "hilum down"}


def shorter(step: str) -> str:
    """Return a step as the tests run it."""
    for minutes, epochs in SHORTER.items():
        step = re.sub(rf"{re.escape(minutes)}$", epochs, step)
    return step


def test_only_the_trainings_are_shortened() -> None:
    changed = [step for step in STEPS if shorter(step) != step]
    assert [step.split(" --data")[0] for step in changed] == ["hilum train filter", "hilum train classifier"]


def test_the_steps_end_in_answers_from_release_1(
    walked: dict[str, str], environment: tuple[Path, dict[str, str]]
) -> None:
    folder, _ = environment
    with (folder / "answers.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    images = [path for path in (folder / "xrays/images").rglob("*") if path.is_file()]
    assert len(rows) == len(images)
    assert {row["release"] for row in rows} == {"1"}
    assert {row["accepted"] for row in rows} == {"True", "False"}, "the filter accepts or rejects everything"


def test_heat_maps_are_pictures(walked: dict[str, str], environment: tuple[Path, dict[str, str]]) -> None:
    maps = sorted((environment[0] / "heatmaps").glob("*.png"))
    assert maps
    with Image.open(maps[0]) as picture:
        picture.load()
        assert min(picture.size) >= 256


def test_evaluation_prints_intervals(walked: dict[str, str]) -> None:
    printed = walked["hilum evaluate classifier --data xrays"]
    assert re.search(r"0\.\d+ \(0\.\d+-[01]\.\d+\)", printed), printed


def test_the_filter_learns_the_synthetic_films(
    walked: dict[str, str], environment: tuple[Path, dict[str, str]]
) -> None:
    folder, variables = environment
    record = json.loads(shell("hilum evaluate filter --data xrays --json", folder, variables))
    assert record["headline"]["value"] > 0.9, record["headline"]


def test_a_second_rollout_of_the_same_release_only_verifies(
    walked: dict[str, str], environment: tuple[Path, dict[str, str]]
) -> None:
    folder, variables = environment
    assert json.loads(shell("hilum rollout apply --json", folder, variables))["outcome"] == "verified"


def test_the_python_example_runs(walked: dict[str, str], environment: tuple[Path, dict[str, str]]) -> None:
    folder, variables = environment
    (example,) = code_blocks("python")
    scan = next(path for path in (folder / "xrays/images").rglob("*.jpg"))
    example = example.replace("scan.dcm", str(scan)).replace("8001", variables["HILUM_GRPC_PORT"])
    result = subprocess.run(
        [sys.executable, "-c", example],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip().endswith(" 1")


def test_down_leaves_nothing_running(
    walked: dict[str, str], environment: tuple[Path, dict[str, str]]
) -> None:
    folder, variables = environment
    shell("hilum down", folder, variables)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(variables["HILUM_GRPC_PORT"]))) != 0


def test_every_make_target_that_the_documents_name_exists() -> None:
    text = README + (REPOSITORY / "CONTRIBUTING.md").read_text()
    targets = set(re.findall(r"`make ([a-z-]+)", text)) | {"demo"}
    for target in targets:
        result = subprocess.run(
            ["make", "--dry-run", target], cwd=REPOSITORY, capture_output=True, text=True, timeout=60
        )
        assert result.returncode == 0, f"make {target}: {result.stderr}"
