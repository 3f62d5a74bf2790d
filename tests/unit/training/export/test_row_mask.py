"""The masked graph answers as the gated one, without an operator whose shapes follow from the data."""

import numpy as np
import onnx
import pytest
from onnx import parser

from hilum.errors import HilumError
from tests.support.toy_conv import conv_classifier, conv_filter
from tests.support.toy_models import toy_classifier
from tests.support.toy_onnx import run_onnx
from training.export.parity import BATCHES
from training.export.row_mask import DATA_DEPENDENT, mask_rows
from training.export.variant.half import to_fp16
from training.export.variant.int8 import to_int8

RADIOGRAPHS = np.random.default_rng(0).integers(0, 256, (5, 1, 256, 256), dtype=np.uint8)

NETWORKS = {
    "toy": toy_classifier(),
    "conv": conv_classifier(),
    "fp16": to_fp16(conv_classifier()),
    "int8": to_int8(conv_classifier(), RADIOGRAPHS),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("mask", BATCHES, ids=str)
def test_the_answers_are_those_of_the_gated_graph(name: str, mask: tuple[bool, ...]) -> None:
    accepted = np.array(mask)[:, None]
    masked = mask_rows(NETWORKS[name])
    expected = run_onnx(NETWORKS[name], RADIOGRAPHS[: len(mask)], accepted)
    found = run_onnx(masked, RADIOGRAPHS[: len(mask)], accepted)
    assert expected.keys() == found.keys()
    for output, value in expected.items():
        assert np.isnan(value).reshape(len(mask), -1).any(axis=1).tolist() == [not row for row in mask]
        np.testing.assert_allclose(found[output], value, rtol=0, atol=1e-6, err_msg=output)


@pytest.mark.parametrize("name", NETWORKS)
def test_no_shape_follows_from_the_data(name: str) -> None:
    masked = mask_rows(NETWORKS[name])
    assert not {node.op_type for node in masked.graph.node} & DATA_DEPENDENT
    assert "ScatterND" not in {node.op_type for node in masked.graph.node}
    used = {tensor for node in masked.graph.node for tensor in node.input}
    assert {weight.name for weight in masked.graph.initializer} <= used
    inputs = {value.name: value.type.tensor_type.shape.dim for value in masked.graph.input}
    assert {name: dims[0].dim_param for name, dims in inputs.items()} == {
        "radiograph": "batch",
        "accepted": "batch",
    }


def test_the_original_is_left_alone() -> None:
    network = conv_classifier()
    before = network.SerializeToString()
    mask_rows(network)
    assert network.SerializeToString() == before


def test_a_filter_has_no_gate_and_stays_as_it_is() -> None:
    assert mask_rows(conv_filter()).SerializeToString() == conv_filter().SerializeToString()


def test_another_data_dependent_operator_is_refused() -> None:
    network = parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 20]>
        odd (float[N,4] x) => (int64[2,M] where)
        { where = NonZero(x) }""")
    onnx.checker.check_model(network)
    with pytest.raises(HilumError, match="odd cannot become a TensorRT engine: its graph holds NonZero"):
        mask_rows(network)
