"""Which layers of an inspector's listing hold weights, and what they compute in."""

from typing import Any

import pytest

from training.errors import ParityError
from training.export.tensorrt.layers import count_engine_layers


def layer(name: str, kind: str, datatype: str) -> dict[str, Any]:
    return {"Name": name, "LayerType": kind, "Inputs": [{"Format/Datatype": datatype}]}


def test_fused_layers_are_counted_where_none_is_named_by_its_work() -> None:
    fused = layer("{ForeignNode[a...b]}", "Myelin", "Half")
    copy = layer("Reformatting CopyNode for Input Tensor 0 to {ForeignNode[a...b]}", "Reformat", "Float")
    assert count_engine_layers({"Layers": [copy, fused]}) == {"fp16": 1}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Reformatting CopyNode for Input Tensor 0 to /conv0/Conv", "Reformat"),
        ("PWN(/conv0/Relu)", "PointWiseV2"),
        ("/conv0/MaxPool", "CaskPooling"),
    ],
)
def test_a_layer_named_after_the_one_it_serves_has_no_weights(name: str, kind: str) -> None:
    convolution = layer("/conv0/Conv + /conv0/Relu", "CaskConvolution", "Row major linear FP32 format")
    served = layer(name, kind, "Channel major FP16 format where channel % 8 == 0")
    assert count_engine_layers({"Layers": [served, convolution]}) == {"fp32": 1}


def test_uint8_pixels_are_not_int8() -> None:
    layers = [layer("/conv0/Conv", "CaskConvolution", kind) for kind in ("UInt8", "Int8")]
    assert count_engine_layers({"Layers": layers}) == {"int8": 1, "unknown": 1}


@pytest.mark.parametrize("inputs", [None, [], {}, ["x"], 3])
def test_a_layer_that_tells_no_type_is_unknown(inputs: Any) -> None:
    silent = {"Name": "/conv0/Conv", "LayerType": "CaskConvolution", "Inputs": inputs}
    assert count_engine_layers({"Layers": [silent]}) == {"unknown": 1}


def test_a_listing_without_types_is_refused() -> None:
    with pytest.raises(ParityError, match="--profilingVerbosity=detailed"):
        count_engine_layers({"Layers": ["conv_0", "conv_1"], "Bindings": []})
