"""An engine gets its passport for what it is and answers, never for how its build ended."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from hilum.errors import UsageError
from hilum.files import sha256_file
from training.commands.export import export
from training.errors import IntegrityError, ParityError
from training.export.passport import read_passport
from training.export.tensorrt.engine import check_engine


@pytest.fixture
def folder(finished_build: Path, tmp_path: Path) -> Path:
    """A copy of the finished build."""
    return shutil.copytree(finished_build, tmp_path / "build")


def test_the_passport_tells_what_was_built_where_and_how_well_it_answers(folder: Path) -> None:
    passport = check_engine(folder)
    assert read_passport(folder / "model.plan") == passport
    assert (passport.kind, passport.precision, passport.layers) == ("tensorrt", "fp16", {"fp16": 2})
    assert passport.sha256 == sha256_file(folder / "model.plan")
    engine, decisions = passport.engine, passport.decisions
    assert engine is not None
    assert (engine.tensorrt, engine.compute_capability, engine.max_batch) == ("10.5.0", "9.0", 8)
    assert engine.source_sha256 == sha256_file(folder / "model.onnx")
    assert engine.timing_cache_sha256 == sha256_file(folder / "timing.cache")
    assert decisions is not None
    assert (decisions.images, decisions.agreed) == (17, 17)  # two of the 19 cases are marked rejected
    assert {value.output for value in passport.values} == {"probabilities", "activation_map", "embedding"}


def test_fp32_layers_under_an_fp16_plan_are_refused(folder: Path) -> None:
    listing = folder / "layers.json"
    listing.write_text(listing.read_text().replace("FP16", "FP32"))
    with pytest.raises(ParityError, match=r"Too few layers of .*model\.plan compute in fp16.* 2 fp32"):
        check_engine(folder)
    assert read_passport(folder / "model.plan") is None


def test_one_fp16_layer_among_fp32_ones_is_not_enough(folder: Path) -> None:
    listing = json.loads((folder / "layers.json").read_text())
    _, half, _ = listing["Layers"]
    full = {**half, "Inputs": [{"Format/Datatype": "Row major linear FP32 format"}]}
    (folder / "layers.json").write_text(json.dumps({"Layers": [half, full, full]}))
    with pytest.raises(ParityError, match=r"the inspector lists 1 fp16, 2 fp32"):
        check_engine(folder)


def test_other_answers_are_refused(folder: Path) -> None:
    path = folder / "cases" / "1" / "outputs.json"
    tensors = json.loads(path.read_text().replace("nan", "NaN"))
    tensors[0]["values"][0] += 0.02
    path.write_text(json.dumps(tensors))
    with pytest.raises(ParityError, match=r"`probabilities` differs by up to 0\.02"):
        check_engine(folder)


def test_a_rejected_row_that_is_answered_is_refused(folder: Path) -> None:
    path = folder / "cases" / "0" / "outputs.json"
    path.write_text(path.read_text().replace("nan", "0.25"))
    with pytest.raises(ParityError, match="is NaN in other rows than the rejected ones"):
        check_engine(folder)


@pytest.mark.parametrize("name", ["plan.json", "engine.json", "layers.json"])
@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b'{"Layers": 3}'])
def test_a_damaged_file_is_named(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(IntegrityError, match=rf"{name} is no .* again"):
        check_engine(folder)


@pytest.mark.parametrize("name", ["model.plan", "engine.json", "layers.json"])
def test_a_build_that_was_not_run_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(UsageError, match=f"holds no {name}: run build.sh"):
        check_engine(folder)


def test_a_batch_that_was_not_asked_is_named(folder: Path) -> None:
    (folder / "cases" / "2" / "outputs.json").unlink()
    with pytest.raises(UsageError, match="asked 2 of 3 batches"):
        check_engine(folder)


def test_another_graph_than_planned_is_refused(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"another")
    with pytest.raises(IntegrityError, match=r"the SHA-256 of model\.onnx is"):
        check_engine(folder)


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("tensorrt", "11.0.0", "major version of TensorRT"),
        ("compute_capability", "8.6", "compute capability"),
    ],
)
def test_another_place_than_planned_is_refused(folder: Path, key: str, value: str, what: str) -> None:
    facts = json.loads((folder / "engine.json").read_text())
    (folder / "engine.json").write_text(json.dumps(facts | {key: value}))
    with pytest.raises(IntegrityError, match=f"the {what} is {value[:2]}"):
        check_engine(folder)


def test_the_command_prints_one_object(folder: Path) -> None:
    result = CliRunner().invoke(export, ["passport", str(folder), "--json"], catch_exceptions=False)
    printed = json.loads(result.stdout)
    assert printed["built"] is True
    assert printed["passport"]["engine"]["compute_capability"] == "9.0"
