"""Each way in which a model repository can be wrong is found, and named with its file."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig, ModelEnsembling

from hilum.contract import CLASSIFIER, DECODE, FILTER, MONITOR, SCREENING
from tests.support.toy_models import toy_classifier, toy_filter
from tests.support.toy_release import toy_release, write_toy_repository
from training.commands.repository import repository as command
from training.errors import RepositoryError
from training.repository.config_pbtxt import parse, render
from training.repository.lint import check_repository, lint_repository


@pytest.fixture
def live(tmp_path: Path) -> Path:
    return write_toy_repository(tmp_path / "live", toy_release(), tmp_path)


def edit(live: Path, model: str, change: Callable[[ModelConfig], object]) -> None:
    path = live / model / "config.pbtxt"
    config = parse(path.read_text())
    change(config)
    path.write_bytes(render(config))


def replace_network(live: Path, model: str, network: onnx.ModelProto) -> None:
    onnx.save(network, live / model / "1" / "model.onnx")


def frozen_batch() -> onnx.ModelProto:
    network = toy_filter()
    for value in (*network.graph.input, *network.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    return network


def renamed_output() -> onnx.ModelProto:
    network = toy_filter()
    network.graph.output[0].name = "share"
    return network


def newer_opset() -> onnx.ModelProto:
    network = toy_filter()
    network.opset_import[0].version = 25
    return network


def newer_format() -> onnx.ModelProto:
    network = toy_filter()
    network.ir_version = 13
    return network


def further_input() -> onnx.ModelProto:
    network = toy_filter()
    network.graph.input.append(helper.make_tensor_value_info("age", TensorProto.FLOAT, ["N", 1]))
    return network


def other_dtype() -> onnx.ModelProto:
    network = toy_filter()
    network.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    return network


def missing_weights() -> onnx.ModelProto:
    network = toy_filter()
    tensor = TensorProto(name="weights", data_type=TensorProto.FLOAT, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="model.onnx.data")
    network.graph.initializer.append(tensor)
    return network


def test_a_good_repository_has_no_defect(live: Path) -> None:
    assert lint_repository(live) == []
    check_repository(live)


@pytest.mark.parametrize(
    ("network", "problem"),
    [
        (frozen_batch, "'radiograph': the batch axis is frozen at 1"),
        (renamed_output, "names the output 'valid_probability'; the network's outputs are: accepted, share"),
        (newer_opset, "opset is 25"),
        (newer_format, "IR version is 13"),
        (further_input, "needs an input 'age'"),
        (other_dtype, "'radiograph' is TYPE_FP32, configured as TYPE_UINT8"),
        (missing_weights, "second file, model.onnx.data, which is missing"),
        (toy_classifier, "names the output 'valid_probability'; the network's outputs are: activation_map"),
    ],
)
def test_a_network_that_does_not_fit_is_named(
    live: Path, network: Callable[[], onnx.ModelProto], problem: str
) -> None:
    replace_network(live, FILTER, network())
    found = [defect for defect in lint_repository(live) if problem in defect.problem]
    assert [defect.file for defect in found] == [f"{FILTER}/1/model.onnx"]
    assert found[0].remedy


def test_a_file_that_is_no_network_is_named(live: Path) -> None:
    (live / FILTER / "1" / "model.onnx").write_bytes(b"\xff" * 64)
    assert [defect.problem for defect in lint_repository(live)] == [
        "This is no ONNX model: it cannot be parsed."
    ]


def test_an_output_size_that_only_one_side_leaves_open_is_named(live: Path) -> None:
    network = toy_classifier()
    network.graph.output[2].type.tensor_type.shape.dim[1].dim_param = "d"
    replace_network(live, CLASSIFIER, network)
    (defect,) = lint_repository(live)
    assert defect.file == f"{CLASSIFIER}/1/model.onnx"
    assert "is [-1], configured is [8]" in defect.problem


def test_a_network_of_other_sizes_is_named(live: Path) -> None:
    edit(live, CLASSIFIER, lambda config: config.output[2].dims.__setitem__(0, 16))
    problems = {defect.file: defect.problem for defect in lint_repository(live)}
    assert "[8], configured is [16]" in problems[f"{CLASSIFIER}/1/model.onnx"]
    assert "classifier_embedding" in problems[f"{SCREENING}/config.pbtxt"]


@pytest.mark.parametrize(
    ("model", "change", "problem"),
    [
        (FILTER, lambda config: config.ClearField("max_batch_size"), "does not set max_batch_size"),
        (FILTER, lambda config: config.ClearField("backend"), "does not set backend"),
        (FILTER, lambda config: config.ClearField("version_policy"), "does not set version_policy"),
        (FILTER, lambda config: config.ClearField("instance_group"), "does not set instance_group"),
        (FILTER, lambda config: config.ClearField("output"), "does not set output"),
        (FILTER, lambda config: config.input[0].ClearField("dims"), "'radiograph' has no dims"),
        (FILTER, lambda config: setattr(config, "name", "filter"), "names the model 'filter'"),
        (DECODE, lambda config: config.ClearField("default_model_filename"), "default_model_filename"),
    ],
)
def test_what_is_left_to_auto_completion_is_named(
    live: Path, model: str, change: Callable[[ModelConfig], object], problem: str
) -> None:
    edit(live, model, change)
    assert any(
        defect.file == f"{model}/config.pbtxt" and problem in defect.problem
        for defect in lint_repository(live)
    )


@pytest.mark.parametrize(
    ("step", "change", "problem"),
    [
        (1, lambda step: setattr(step, "model_version", -1), "xray_filter names no exact version"),
        (1, lambda step: setattr(step, "model_version", 9), "xray_filter names version 9"),
        (1, lambda step: setattr(step, "model_name", "lost"), "'lost', which is not in this repository"),
        (2, lambda step: step.input_map.pop("accepted"), "xray_classifier gets no 'accepted'"),
        (2, lambda step: step.input_map.update(age="filter_accepted"), "maps the input 'age'"),
        (2, lambda step: step.input_map.update(accepted="typo"), "reads 'typo', which no earlier"),
        (
            2,
            lambda step: step.input_map.update(accepted="filter_valid_probability"),
            "takes 'accepted' as TYPE_BOOL [1], but 'filter_valid_probability' is TYPE_FP32 [1]",
        ),
        (3, lambda step: step.output_map.pop("embedding"), "No step makes the output 'embedding'"),
        (3, lambda step: step.output_map.update(colour="x"), "maps the output 'colour'"),
    ],
)
def test_a_step_that_does_not_fit_its_model_is_named(
    live: Path, step: int, change: Callable[[ModelEnsembling.Step], object], problem: str
) -> None:
    edit(live, SCREENING, lambda config: change(config.ensemble_scheduling.step[step]))
    found = [defect for defect in lint_repository(live) if problem in defect.problem]
    assert [defect.file for defect in found] == [f"{SCREENING}/config.pbtxt"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda config: config.output.pop(), "Nothing uses the tensor 'embedding'"),
        (
            lambda config: setattr(config.output[0], "data_type", DataType.TYPE_BOOL),
            "'valid_probability' is configured as TYPE_BOOL [1]; its step makes TYPE_FP32 [1]",
        ),
    ],
)
def test_a_front_door_that_does_not_fit_its_steps_is_named(
    live: Path, change: Callable[[ModelConfig], object], problem: str
) -> None:
    edit(live, SCREENING, change)
    found = [defect for defect in lint_repository(live) if problem in defect.problem]
    assert [defect.file for defect in found] == [f"{SCREENING}/config.pbtxt"]


def test_an_output_that_feeds_a_step_is_named(live: Path) -> None:
    def expose(config: ModelConfig) -> None:
        filter_step, _, monitor_step = config.ensemble_scheduling.step[1:]
        filter_step.output_map["accepted"] = "accepted"
        config.ensemble_scheduling.step[2].input_map["accepted"] = "accepted"
        monitor_step.input_map["accepted"] = "accepted"
        monitor_step.output_map.pop("accepted")

    edit(live, SCREENING, expose)
    assert "'accepted' is also a step's input" in lint_repository(live)[0].problem


def test_versions_and_folders_are_compared(live: Path) -> None:
    shutil.rmtree(live / CLASSIFIER / "1")
    (live / MONITOR / "1" / "model.py").unlink()
    (live / FILTER / "3").mkdir()
    (live / FILTER / "backup").mkdir()
    (live / "notes").mkdir()
    (live / "README.md").write_text("a file at the root is fine")
    found = {defect.file: defect.problem for defect in lint_repository(live)}
    assert set(found) == {f"{CLASSIFIER}/1", f"{MONITOR}/1", f"{FILTER}/3", f"{FILTER}/backup", "notes"}
    assert "does not list it" in found[f"{FILTER}/3"]
    assert "takes every folder for a model" in found["notes"]


def test_a_configuration_that_cannot_be_parsed_is_named(live: Path) -> None:
    (live / MONITOR / "config.pbtxt").write_text('name: "xray_monitor" colour: 3')
    found = [defect for defect in lint_repository(live) if defect.file == f"{MONITOR}/config.pbtxt"]
    assert "colour" in found[0].problem


def test_labels_in_another_order_are_named(live: Path) -> None:
    (live / CLASSIFIER / "labels.txt").write_text("covid19\nlung_opacity\nno_finding\n")
    (live / SCREENING / "labels.txt").unlink()
    found = {defect.file: defect.problem for defect in lint_repository(live)}
    assert "in this order" in found[f"{CLASSIFIER}/labels.txt"]
    assert "missing" in found[f"{SCREENING}/labels.txt"]


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_a_folder_that_is_no_repository_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RepositoryError, match=name):
        lint_repository(tmp_path / name)


def test_checking_names_every_defect_and_its_remedy(live: Path) -> None:
    replace_network(live, FILTER, frozen_batch())
    with pytest.raises(RepositoryError, match=r"(?s)frozen at 1.*hilum export.*frozen at 1"):
        check_repository(live)


def test_the_command_prints_one_object_per_defect(live: Path) -> None:
    assert "can load all of it" in CliRunner().invoke(command, ["lint", str(live)]).output
    replace_network(live, FILTER, newer_opset())
    result = CliRunner().invoke(command, ["lint", str(live), "--json"])
    assert isinstance(result.exception, RepositoryError)
    assert result.exception.exit_code == 1
    (record,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert record["file"] == f"{FILTER}/1/model.onnx"
    assert set(record) == {"file", "problem", "remedy"}
