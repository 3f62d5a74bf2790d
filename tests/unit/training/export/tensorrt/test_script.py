"""`build.sh` run by bash, with a stand-in for trtexec: what it leaves, and when it stops."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.fake_trtexec import install_fakes
from tests.unit.training.export.tensorrt.conftest import write_build


def build(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(folder / "build.sh")], env=environment, capture_output=True, text=True, check=False
    )


def test_it_leaves_the_engine_the_answers_and_where_it_was_built(finished_build: Path) -> None:
    assert json.loads((finished_build / "engine.json").read_text()) == {
        "tensorrt": "10.5.0",
        "compute_capability": "9.0",
        "device": "NVIDIA H100 80GB HBM3",
    }
    assert (finished_build / "model.plan").is_file()
    assert len(list(finished_build.glob("cases/*/outputs.json"))) == 3


@pytest.mark.parametrize(
    ("changes", "version", "message"),
    [
        ({"compute_capability": "8.6"}, "100500", "has compute capability 9.0; the plan is for 8.6"),
        ({}, "110201", "This container has TensorRT 11.2.1, the plan is for 10"),
        ({"onnx_sha256": "0" * 64}, "100500", "model.onnx: FAILED"),
    ],
    ids=["gpu", "tensorrt", "graph"],
)
def test_it_stops_where_the_plan_does_not_hold(
    tmp_path: Path,
    changes: dict[str, str],
    version: str,
    message: str,
) -> None:
    folder = write_build(tmp_path / "build", **changes)
    done = build(folder, install_fakes(tmp_path / "bin", version=version))
    assert done.returncode == 1
    assert message in done.stdout + done.stderr
    assert not (folder / "engine.json").exists()


def test_a_flag_that_trtexec_does_not_know_ends_the_build(tmp_path: Path) -> None:
    folder = write_build(tmp_path / "build")
    script = folder / "build.sh"
    script.write_text(script.read_text().replace("--noTF32", "--noTf32"))
    done = build(folder, install_fakes(tmp_path / "bin"))
    assert done.returncode == 1
    assert "Unknown option: --noTf32" in done.stdout


def test_an_exit_status_of_zero_without_an_engine_is_not_believed(tmp_path: Path) -> None:
    folder = write_build(tmp_path / "build")
    environment = install_fakes(tmp_path / "bin")
    (tmp_path / "bin" / "trtexec").write_text("#!/bin/sh\necho '&&&& RUNNING [TensorRT v100500]'\n")
    done = build(folder, environment)
    assert done.returncode == 1
    assert "trtexec ended without an engine" in done.stderr


def test_a_second_build_does_not_take_the_first_ones_engine(finished_build: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(finished_build, tmp_path / "build")
    environment = install_fakes(tmp_path / "bin")
    (tmp_path / "bin" / "trtexec").write_text("#!/bin/sh\nexit 3\n")
    assert build(folder, environment).returncode == 3
    assert not (folder / "model.plan").exists()
    assert not (folder / "engine.json").exists()
