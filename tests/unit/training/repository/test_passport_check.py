"""A file is compared with the passport beside it, on the way into a server."""

import shutil
from pathlib import Path

import pytest
from tritonclient.grpc.model_config_pb2 import ModelConfig

from hilum.contract import CLASSIFIER
from hilum.files import sha256_file
from tests.support.toy_conv import conv_classifier, conv_filter
from tests.support.toy_release import save_onnx, toy_release
from training.export.onnx_passport import describe_onnx
from training.export.passport import Engine, Passport, passport_path, read_passport, write_passport
from training.export.variant.half import to_fp16
from training.repository.config_pbtxt import build_configs
from training.repository.layout import write_repository
from training.repository.lint import lint_repository
from training.repository.passport_check import lint_passport
from training.repository.served_release import Lineup

CONFIG = build_configs(Lineup(champion=toy_release(1)))[CLASSIFIER]

ENGINE = Engine(
    tensorrt="10.5.0",
    compute_capability="9.0",
    device="H100",
    image="tritonserver:24.10-py3",
    max_batch=16,
    timing_cache_sha256="",
    source_sha256="",
)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = save_onnx(to_fp16(conv_classifier()), tmp_path / "model.onnx")
    write_passport(path, describe_onnx(path, CLASSIFIER, "fp16", values=[]))
    return path


def change(path: Path, **fields: object) -> None:
    passport = read_passport(path)
    assert passport is not None
    write_passport(path, passport.model_copy(update=fields))


def problems(path: Path, config: ModelConfig = CONFIG) -> list[str]:
    return [defect.problem for defect in lint_passport(path, config, "it")]


def test_a_network_with_its_passport_is_sound_and_so_is_one_without(network: Path) -> None:
    assert problems(network) == []
    passport_path(network).unlink()
    assert problems(network) == []


def test_another_network_is_named(network: Path) -> None:
    save_onnx(conv_classifier(), network)
    (problem,) = problems(network)
    assert "is not the file that its passport was written for" in problem


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("opset", 21, "Its passport says opset 21; the file's is 20."),
        ("ir_version", 9, "Its passport says ir_version 9; the file's is 10."),
        ("model", "xray_filter", "Its passport says model 'xray_filter'; the file's is 'xray_classifier'."),
        ("kind", "tensorrt", "Its passport says kind 'tensorrt'; the file's is 'onnx'."),
        ("layers", {"fp32": 2}, "Its passport says layers {'fp32': 2}; the file's is {'fp16': 2}."),
        ("precision", "int8", "Its passport says int8, but too few of its layers compute in it."),
        (
            "layers",
            {"fp16": 2, "fp32": 2},
            "Its passport says fp16, but too few of its layers compute in it.",
        ),
    ],
)
def test_what_the_graph_does_not_bear_out_is_named(
    network: Path, field: str, value: object, problem: str
) -> None:
    change(network, **{field: value})
    assert problem in problems(network)


def test_a_passport_that_cannot_be_read_is_named(network: Path) -> None:
    passport_path(network).write_text("{")
    (problem,) = problems(network)
    assert "is no passport that this version of Hilum reads" in problem


@pytest.mark.parametrize("mode", ["fp32", "fp16", "int8"])
def test_tensorrt_may_not_compute_what_was_proven_in_another_precision(network: Path, mode: str) -> None:
    lineup = Lineup(champion=toy_release(1))
    config = build_configs(lineup, accelerator=f"tensorrt_{mode}")[CLASSIFIER]  # type: ignore[arg-type]
    expected = f"Its answers were proven in fp16; TensorRT would compute it in {mode}."
    assert problems(network, config) == ([] if mode == "fp16" else [expected])


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "model.plan"
    path.write_bytes(b"an engine")
    passport = Passport(
        model=CLASSIFIER,
        kind="tensorrt",
        sha256=sha256_file(path),
        precision="fp16",
        layers={"fp16": 2},
        opset=20,
        ir_version=10,
        onnxruntime="",
        proven_with="TensorRT 10.5.0",
        engine=ENGINE,
    )
    write_passport(path, passport)
    return path


def plan_config(**capabilities: str) -> ModelConfig:
    config = ModelConfig()
    config.CopyFrom(CONFIG)
    config.backend, config.default_model_filename = "tensorrt", "model.plan"
    config.cc_model_filenames.update(capabilities)
    return config


def test_a_plan_is_sound_where_the_configuration_keeps_it_to_its_gpu(plan: Path) -> None:
    assert problems(plan, plan_config(**{"9.0": "model.plan"})) == []


@pytest.mark.parametrize("capabilities", [{}, {"8.6": "model.plan"}, {"9.0": "other.plan"}])
def test_a_plan_that_another_gpu_could_load_is_named(plan: Path, capabilities: dict[str, str]) -> None:
    (problem,) = problems(plan, plan_config(**capabilities))
    assert "built for compute capability 9.0" in problem


def test_a_plan_for_smaller_batches_is_named(plan: Path) -> None:
    change(plan, engine=ENGINE.model_copy(update={"max_batch": 4}))
    (problem,) = problems(plan, plan_config(**{"9.0": "model.plan"}))
    assert problem == "It takes batches up to 4; the configuration allows 16."


def test_a_plan_without_a_passport_is_refused(plan: Path) -> None:
    passport_path(plan).unlink()
    (problem,) = problems(plan, plan_config(**{"9.0": "model.plan"}))
    assert "This TensorRT plan has no passport" in problem


def test_a_repository_takes_the_passport_along_and_the_lint_reads_it(network: Path, tmp_path: Path) -> None:
    live = tmp_path / "live"
    screen_filter = save_onnx(conv_filter(), tmp_path / "filter.onnx")
    write_repository(live, toy_release(1), filter_onnx=screen_filter, classifier_onnx=network)
    assert sorted(path.name for path in (live / CLASSIFIER / "1").iterdir()) == [
        "model.onnx",
        "model.onnx.passport.json",
    ]
    assert sorted(path.name for path in (live / "xray_filter" / "1").iterdir()) == ["model.onnx"]
    assert lint_repository(live) == []
    shutil.copy(
        save_onnx(conv_classifier(seed=1), tmp_path / "other.onnx"), live / CLASSIFIER / "1" / "model.onnx"
    )
    assert [defect.file for defect in lint_repository(live)] == [f"{CLASSIFIER}/1/model.onnx"]
