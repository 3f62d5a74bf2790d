"""Configurations: what Triton is told must be what the contract says."""

import json

import pytest
from tritonclient.grpc.model_config_pb2 import DataType

from hilum.contract import CHALLENGER_SCREENING, CLASSIFIER, DECODE, FILTER, MODELS, MONITOR, SCREENING
from hilum.errors import UsageError
from hilum.operating_point import OperatingPoint
from tests.support.toy_release import toy_release
from training.repository.config_pbtxt import build_configs, is_within, parse, render
from training.repository.front_door import read_served_release
from training.repository.layout import PACKAGED, committed_files
from training.repository.served_release import Lineup, ServedRelease

TOYS = Lineup(champion=toy_release())

TRITON_NAMES = {"TYPE_STRING": "BYTES", "TYPE_UINT8": "UINT8", "TYPE_FP32": "FP32", "TYPE_BOOL": "BOOL"}


def test_committed_files_are_what_the_code_generates() -> None:
    for name, content in committed_files().items():
        assert (PACKAGED / name).read_bytes() == content, (
            f"model_repository/{name} is not what the code generates. "
            "Write it again with: python -m training.repository.layout model_repository"
        )


@pytest.mark.parametrize("model", MODELS)
def test_tensors_are_those_of_the_contract(model: str) -> None:
    config = build_configs(TOYS)[model]
    assert [tensor.name for tensor in config.input if tensor.optional] == [
        tensor.name for tensor in MODELS[model].optional_inputs
    ]
    for configured, expected in (
        (config.input, (*MODELS[model].inputs, *MODELS[model].optional_inputs)),
        (config.output, MODELS[model].outputs),
    ):
        assert [tensor.name for tensor in configured] == [tensor.name for tensor in expected]
        for tensor, promised in zip(configured, expected, strict=True):
            assert TRITON_NAMES[DataType.Name(tensor.data_type)] == promised.dtype
            assert len(tensor.dims) == len(promised.shape)
            assert -1 not in tensor.dims
            assert all(size in (-1, dim) for size, dim in zip(promised.shape, tensor.dims, strict=True))


def test_sizes_come_from_the_release() -> None:
    outputs = {output.name: list(output.dims) for output in build_configs(TOYS)[SCREENING].output}
    assert outputs["activation_map"] == [3, 4, 4]
    assert outputs["embedding"] == [8]


def test_nothing_is_left_to_the_server() -> None:
    for name, config in build_configs(
        Lineup(champion=toy_release(7, filter_version=3, classifier_version=5))
    ).items():
        assert config.name == name
        assert config.max_batch_size == 16
        assert len(config.version_policy.specific.versions) == 1
        assert not config.HasField("dynamic_batching")
        if name != SCREENING:
            assert config.backend in ("python", "onnxruntime")
            assert config.default_model_filename


def test_instances_are_those_asked_for() -> None:
    configs = build_configs(TOYS, instances=5)
    counts = {name: [group.count for group in config.instance_group] for name, config in configs.items()}
    assert counts == {DECODE: [2], FILTER: [5], CLASSIFIER: [5], MONITOR: [1], SCREENING: []}


def test_versions_are_registry_versions_and_release_numbers() -> None:
    configs = build_configs(Lineup(champion=toy_release(7, filter_version=3, classifier_version=5)))
    versions = {name: list(config.version_policy.specific.versions) for name, config in configs.items()}
    assert versions == {DECODE: [1], FILTER: [3], CLASSIFIER: [5], MONITOR: [7], SCREENING: [7]}
    steps = {step.model_name: step.model_version for step in configs[SCREENING].ensemble_scheduling.step}
    assert steps == {DECODE: 1, FILTER: 3, CLASSIFIER: 5, MONITOR: 7}


def test_two_releases_are_listed_side_by_side_but_the_front_door_is_the_new_ones() -> None:
    old = toy_release(1, filter_version=4, classifier_version=9, thresholds=(0.3, 0.6))
    new = toy_release(2, filter_version=4, classifier_version=2, thresholds=(0.5, 0.7))
    configs = build_configs(Lineup(champion=new), beside=[old])
    versions = {name: list(config.version_policy.specific.versions) for name, config in configs.items()}
    assert versions == {DECODE: [1], FILTER: [4], CLASSIFIER: [2, 9], MONITOR: [1, 2], SCREENING: [2]}
    parameters = configs[MONITOR].parameters
    assert json.loads(parameters["operating_point.1"].string_value) == {"lung_opacity": 0.3, "covid19": 0.6}
    assert json.loads(parameters["operating_point.2"].string_value) == {"lung_opacity": 0.5, "covid19": 0.7}


def test_the_challenger_has_a_front_door_of_its_own_which_marks_its_images_as_copies() -> None:
    champion = toy_release(3, filter_version=1, classifier_version=4)
    challenger = toy_release(5, filter_version=1, classifier_version=6, thresholds=(0.2, 0.9))
    configs = build_configs(Lineup(champion=champion, challenger=challenger))
    versions = {name: list(config.version_policy.specific.versions) for name, config in configs.items()}
    assert versions == {
        DECODE: [1],
        FILTER: [1],
        CLASSIFIER: [4, 6],
        MONITOR: [3, 5],
        SCREENING: [3],
        CHALLENGER_SCREENING: [5],
    }
    assert read_served_release(configs[CHALLENGER_SCREENING]) == challenger
    connected = {
        door: [
            {*step.input_map} & {tensor.name for tensor in MODELS[step.model_name].optional_inputs}
            for step in configs[door].ensemble_scheduling.step
        ]
        for door in (SCREENING, CHALLENGER_SCREENING)
    }
    assert connected == {
        SCREENING: [set(), set(), set(), set()],
        CHALLENGER_SCREENING: [{"mirrored_image_bytes"}, set(), set(), {"mirrored"}],
    }
    for ours, theirs in zip(configs[SCREENING].output, configs[CHALLENGER_SCREENING].output, strict=True):
        assert ours == theirs


def test_one_release_in_both_roles_is_listed_once() -> None:
    release = toy_release(3)
    configs = build_configs(Lineup(champion=release, challenger=release), beside=[release])
    assert list(configs[MONITOR].version_policy.specific.versions) == [3]


def test_what_a_server_adds_to_a_configuration_changes_nothing_but_what_it_lacks_does() -> None:
    for name, wanted in build_configs(TOYS).items():
        found = parse(render(wanted).decode())
        found.optimization.input_pinned_memory.enable = True
        found.version_policy.specific.versions.append(9)
        for group in found.instance_group:
            group.name = f"{name}_0"
        assert is_within(wanted, found)
        found.max_batch_size += 1
        assert not is_within(wanted, found)
    wanted = build_configs(TOYS)[SCREENING]
    for change in ("release_digest", "step", "output"):
        found = parse(render(wanted).decode())
        if change == "release_digest":
            found.parameters[change].string_value = "other"
        elif change == "step":
            found.ensemble_scheduling.step[1].model_version = 8
        else:
            del found.output[0]
        assert not is_within(wanted, found)


def test_a_size_that_two_releases_do_not_share_stays_open() -> None:
    old = toy_release(1)
    new = ServedRelease(
        number=2,
        digest="d",
        filter_version=1,
        classifier_version=2,
        operating_point=old.operating_point,
        map_size=(7, 4),
        embedding_size=16,
    )
    dims = {
        output.name: list(output.dims)
        for output in build_configs(Lineup(champion=new), beside=[old])[CLASSIFIER].output
    }
    assert dims == {"probabilities": [3], "activation_map": [3, -1, 4], "embedding": [-1]}


def test_the_front_door_carries_operating_point_and_digest() -> None:
    parameters = build_configs(Lineup(champion=toy_release(3, thresholds=(0.25, 0.75))))[SCREENING].parameters
    values = {name: value.string_value for name, value in parameters.items()}
    assert OperatingPoint.from_parameters(values).thresholds == {"lung_opacity": 0.25, "covid19": 0.75}
    assert values["release_digest"] == f"{3:064x}"


def test_a_front_doors_configuration_says_which_release_it_serves() -> None:
    release = toy_release(12, filter_version=3, classifier_version=5, thresholds=(0.1, 0.9))
    text = render(build_configs(Lineup(champion=release), instances=3)[SCREENING]).decode()
    assert read_served_release(parse(text)) == release


def test_rendering_is_deterministic_and_reversible() -> None:
    config = build_configs(TOYS)[SCREENING]
    assert render(config) == render(build_configs(TOYS)[SCREENING])
    assert parse(render(config).decode()) == config


def test_labels_stand_where_probabilities_are_an_answer() -> None:
    labelled = {
        name
        for name, config in build_configs(TOYS).items()
        for output in config.output
        if output.label_filename
    }
    assert labelled == {CLASSIFIER, SCREENING}


@pytest.mark.parametrize("field", ["number", "filter_version", "classifier_version", "embedding_size"])
def test_impossible_numbers_are_refused(field: str) -> None:
    values = {"number": 1, "filter_version": 1, "classifier_version": 1, "embedding_size": 8, field: 0}
    with pytest.raises(UsageError, match="1"):
        ServedRelease(digest="d", operating_point=toy_release().operating_point, map_size=(4, 4), **values)
