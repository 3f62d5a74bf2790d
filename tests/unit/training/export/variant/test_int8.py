"""Static quantisation of the core only, in the form that TensorRT reads too."""

import logging

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from tests.support.toy_conv import conv_classifier, conv_filter
from tests.support.toy_onnx import run_onnx
from training.export.precision import count_layers
from training.export.variant.int8 import to_int8

RADIOGRAPHS = np.random.default_rng(0).integers(0, 256, (6, 1, 256, 256), dtype=np.uint8)


@pytest.fixture(scope="module")
def quantised() -> onnx.ModelProto:
    return to_int8(conv_classifier(), RADIOGRAPHS)


def test_all_layers_but_the_last_are_int8(quantised: onnx.ModelProto) -> None:
    assert count_layers(quantised) == {"fp32": 1, "int8": 1}


def test_pixels_are_not_quantised_before_the_first_layer(quantised: onnx.ModelProto) -> None:
    (first,) = [
        node for node in quantised.graph.node if node.op_type == "QuantizeLinear" and "pooled" in node.input
    ]
    before = {"radiograph", "rows", "levels", "pixels"}
    touched = {
        name for node in quantised.graph.node if node.op_type.endswith("Linear") for name in node.input
    }
    assert first.input[0] == "pooled"
    assert not before & touched


def test_zero_points_are_zero_and_weights_have_a_scale_per_channel(quantised: onnx.ModelProto) -> None:
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in quantised.graph.initializer}
    nodes = [node for node in quantised.graph.node if node.op_type.endswith("Linear")]
    assert nodes
    for node in nodes:
        assert not tensors[node.input[2]].any()
    scales = [tensors[node.input[1]].shape for node in nodes if node.input[0].startswith("first")]
    assert scales == [(8,)]


def test_nothing_but_int8_is_dequantised_and_biases_stay_fp32(quantised: onnx.ModelProto) -> None:
    types = {tensor.name: tensor.data_type for tensor in quantised.graph.initializer}
    nodes = [node for node in quantised.graph.node if node.op_type == "DequantizeLinear"]
    assert {types[node.input[0]] for node in nodes if node.input[0] in types} == {TensorProto.INT8}
    assert types["bias"] == TensorProto.FLOAT


def test_ranges_follow_from_the_images_shown() -> None:
    dark = to_int8(conv_classifier(), (RADIOGRAPHS // 16).astype(np.uint8))
    bright = to_int8(conv_classifier(), RADIOGRAPHS)

    def scale(model: onnx.ModelProto) -> float:
        (value,) = [numpy_helper.to_array(t) for t in model.graph.initializer if t.name == "pooled_scale"]
        return float(value)

    pooled = RADIOGRAPHS.reshape(6, 4, 64, 4, 64).mean(axis=(2, 4)) / 255
    assert scale(bright) == pytest.approx(pooled.max() / 127, rel=0.02)
    assert scale(dark) < scale(bright) / 10


@pytest.mark.parametrize("network", [conv_classifier(), conv_filter()], ids=lambda model: model.graph.name)
def test_answers_stay_near(network: onnx.ModelProto) -> None:
    expected, found = run_onnx(network, RADIOGRAPHS), run_onnx(to_int8(network, RADIOGRAPHS), RADIOGRAPHS)
    for name, value in expected.items():
        if value.dtype != np.bool_:
            np.testing.assert_allclose(found[name], value, rtol=0, atol=0.03 * np.abs(value).max())


def test_the_same_images_give_the_same_file(quantised: onnx.ModelProto) -> None:
    again = to_int8(conv_classifier(), RADIOGRAPHS)
    assert again.SerializeToString() == quantised.SerializeToString()


def test_lineage_stays_and_logging_is_left_as_it_was(quantised: onnx.ModelProto) -> None:
    assert [(entry.key, entry.value) for entry in quantised.metadata_props] == [("hilum.recipe", "toy")]
    assert quantised.graph.name == "xray_classifier"
    assert logging.root.manager.disable == logging.NOTSET
