"""What is read from a graph: the precision of its layers, its core, and what reads it."""

import onnx
import pytest
from onnx import parser

from tests.support.toy_conv import conv_classifier
from tests.support.toy_models import toy_classifier
from training.export.precision import (
    computes_in,
    count_layers,
    name_nodes,
    network_core,
    onnxruntime_floor,
    opset_of,
)


def _core_operators(model: onnx.ModelProto) -> list[str]:
    named = name_nodes(model)
    core = network_core(named)
    return [node.op_type for node in named.graph.node if node.name in core]


def test_the_core_is_from_the_first_weighted_layer_to_the_last() -> None:
    assert _core_operators(conv_classifier()) == ["Conv", "Relu", "Conv"]


def test_a_branch_that_joins_is_in_the_core_and_one_that_leaves_is_not() -> None:
    model = parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 20]>
        branches (float[N,4] x) => (float[N,4] y, float[N,4] left)
        <float[4,4] w = {1,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,0,1}>
        {
            before = Neg(x)
            first = MatMul(before, w)
            short = Relu(first)
            deep = MatMul(first, w)
            joined = Add(short, deep)
            last = MatMul(joined, w)
            y = Sigmoid(last)
            left = Abs(joined)
        }""")
    assert _core_operators(model) == ["MatMul", "Relu", "MatMul", "Add", "MatMul"]


def test_a_graph_without_weights_has_neither_core_nor_layers() -> None:
    assert _core_operators(toy_classifier()) == []
    assert count_layers(toy_classifier()) == {}


def test_a_layer_counts_by_its_weights_even_where_they_are_computed() -> None:
    model = parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 20]>
        computed (float16[N,2] x) => (float16[N,2] y)
        <float[2,2] w = {1, 0, 0, 1}>
        {
            half = Cast<to = 10>(w)
            y = MatMul(x, half)
        }""")
    assert count_layers(model) == {"fp16": 1}


@pytest.mark.parametrize(
    ("layers", "holds"),
    [
        ({"int8": 5}, True),
        ({"fp32": 1, "int8": 1}, True),  # the last layer stays FP32
        ({"fp32": 1, "int8": 40}, True),
        ({"fp32": 2, "int8": 18}, True),
        ({"fp32": 2, "int8": 17}, False),
        ({"fp32": 30, "int8": 1}, False),
        ({"fp32": 1}, False),
        ({}, False),
    ],
)
def test_a_network_computes_in_what_nearly_all_its_layers_compute_in(
    layers: dict[str, int],
    holds: bool,  # noqa: FBT001  a parameter of pytest's
) -> None:
    assert computes_in(layers, "int8") is holds


def test_names_are_given_once_and_kept() -> None:
    model = conv_classifier()
    model.graph.node[0].name = "Compress_1"  # the name that the second node would get
    names = [node.name for node in name_nodes(model).graph.node]
    assert names[0] == "Compress_1"
    assert len(set(names)) == len(names)
    assert all(names)


@pytest.mark.parametrize(
    ("ir_version", "opset", "floor"), [(8, 17, "1.15"), (9, 20, "1.17"), (10, 20, "1.18"), (10, 21, "1.18")]
)
def test_the_oldest_runtime_follows_from_format_and_operators(
    ir_version: int, opset: int, floor: str
) -> None:
    model = conv_classifier()
    model.ir_version, model.opset_import[0].version = ir_version, opset
    assert (opset_of(model), onnxruntime_floor(model)) == (opset, floor)


def test_a_newer_format_is_sure_to_be_read_by_the_runtime_here() -> None:
    import onnxruntime

    model = conv_classifier()
    model.ir_version = 99
    assert onnxruntime.__version__.startswith(onnxruntime_floor(model))
