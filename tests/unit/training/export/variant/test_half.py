"""FP16 where the weights are, and FP32 where eleven bits would not do."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, parser

from hilum.errors import HilumError
from tests.support.toy_conv import conv_classifier, conv_filter
from tests.support.toy_onnx import run_onnx
from training.export.precision import count_layers, tensor_types
from training.export.variant.half import to_fp16

RADIOGRAPHS = np.random.default_rng(0).integers(0, 256, (6, 1, 256, 256), dtype=np.uint8)


def test_layers_are_fp16_and_tensors_outside_are_not() -> None:
    half = to_fp16(conv_classifier())
    assert count_layers(half) == {"fp16": 2}
    types = tensor_types(half)
    fp16 = {name for name, element in types.items() if element == TensorProto.FLOAT16}
    assert fp16 == {"pooled_fp16", "first_fp16", "bias_fp16", "last_fp16", "raw", "features", "row_map"}


def test_inputs_outputs_and_lineage_stay() -> None:
    original, half = conv_classifier(), to_fp16(conv_classifier())
    assert list(half.graph.input) == list(original.graph.input)
    assert list(half.graph.output) == list(original.graph.output)
    assert list(half.metadata_props) == list(original.metadata_props)
    assert half.graph.name == original.graph.name


def test_weights_are_stored_once_and_in_half_the_space() -> None:
    weights = {tensor.name: tensor.data_type for tensor in to_fp16(conv_classifier()).graph.initializer}
    assert {name: weights.get(name) for name in ("first", "bias", "last")} == dict.fromkeys(
        ("first", "bias", "last")
    )
    assert {weights[f"{name}_fp16"] for name in ("first", "bias", "last")} == {TensorProto.FLOAT16}


@pytest.mark.parametrize("network", [conv_classifier(), conv_filter()], ids=lambda model: model.graph.name)
def test_answers_differ_by_rounding_only(network: onnx.ModelProto) -> None:
    expected, found = run_onnx(network, RADIOGRAPHS), run_onnx(to_fp16(network), RADIOGRAPHS)
    for name, value in expected.items():
        if value.dtype != np.bool_:
            np.testing.assert_allclose(found[name], value, rtol=0, atol=2e-3 * np.abs(value).max())
    assert any((found[name] != value).any() for name, value in expected.items())


def test_pixel_counts_beyond_fp16_survive() -> None:
    """65,536 pixels of one level are infinity in FP16: an equalised histogram would be lost."""
    model = parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 20]>
        counts (uint8[N,1,256,256] radiograph) => (float[N,1] share)
        <int64[3] axes = {1, 2, 3}, float pixels = {65536.0}, float[1,1] w = {1.0}>
        {
            levels = Cast<to = 1>(radiograph)
            count = ReduceSum<keepdims = 0>(levels, axes)
            relative = Div(count, pixels)
            column = Unsqueeze(relative, one)
            share = MatMul(column, w)
            one = Constant<value = int64[1] {1}>()
        }""")
    nodes = sorted(model.graph.node, key=lambda node: node.op_type != "Constant")
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    white = np.full((1, 1, 256, 256), 2, dtype=np.uint8)
    assert run_onnx(to_fp16(model), white)["share"] == pytest.approx(2.0)


def test_the_threshold_keeps_all_its_bits() -> None:
    threshold = 0.1  # not a number of FP16: 0.0999756
    stored = [
        onnx.numpy_helper.to_array(tensor)
        for tensor in to_fp16(conv_filter(threshold)).graph.initializer
        if tensor.name == "threshold"
    ]
    assert stored == [np.float32(threshold)]


def test_a_weight_beyond_fp16_is_refused() -> None:
    with pytest.raises(HilumError, match=r"The weight 'first' reaches .*, beyond FP16's 65504"):
        to_fp16(conv_classifier(scale=1e6))
