"""What the layers of an ONNX graph compute in, and which nodes lie between the first and the last of them.

A precision that was asked for and silently not given is the commonest surprise of reduced precision, so it is
never taken from a flag but counted in the graph.
"""

from collections import Counter
from collections.abc import Mapping

import onnx
import onnxruntime
from onnx import NodeProto, TensorProto

from training.export.passport import Precision

WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""Operators that hold a network's weights and nearly all of its work."""

_IR_FLOOR = {9: "1.15", 10: "1.18"}
"""First ONNX Runtime that reads an ONNX IR version (its compatibility table)."""

_OPSET_FLOOR = {19: "1.15", 20: "1.17", 21: "1.18"}
"""First ONNX Runtime that implements an operator set, likewise."""

_OLDEST = "1.15"

MAJORITY = 0.9
"""Share of the weighted layers that must compute in a precision, where more than one does not."""

_NAMES: Mapping[int, Precision] = {TensorProto.FLOAT: "fp32", TensorProto.FLOAT16: "fp16"}


def count_layers(model: onnx.ModelProto) -> dict[str, int]:
    """Return the number of weighted layers by what they compute in: `fp32`, `fp16`, `int8` or another type.

    A layer counts as int8 where its data and its weights both come out of DequantizeLinear: that is how a
    quantised layer is written (QDQ), and a runtime computes it in integers.
    """
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    if any(node.input[1] not in types for node in model.graph.node if is_weighted(node)):
        types = tensor_types(model)  # which takes a while: weights that are no plain initializers are rare
    makers = {output: node.op_type for node in model.graph.node for output in node.output}
    found = Counter(_precision(node, types, makers) for node in model.graph.node if is_weighted(node))
    return dict(sorted(found.items()))


def computes_in(layers: Mapping[str, int], precision: str) -> bool:
    """Whether a network of these layers computes in a precision: all but one (the last), or nine in ten.

    Args:
        layers: number of weighted layers by what they compute in.
        precision: that was asked for.
    """
    found = layers.get(precision, 0)
    others = sum(layers.values()) - found
    return found > 0 and (others <= 1 or found >= MAJORITY * (found + others))


def is_weighted(node: NodeProto) -> bool:
    """Whether a node is a layer with weights."""
    return node.op_type in WEIGHTED


def tensor_types(model: onnx.ModelProto) -> dict[str, int]:
    """Return the element type (of `onnx.TensorProto`) of every tensor whose type can be inferred."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for values in (graph.value_info, graph.input, graph.output):
        types |= {value.name: value.type.tensor_type.elem_type for value in values}
    return types


def name_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy in which every node has a name of its own: tools choose nodes by name."""
    named = onnx.ModelProto()
    named.CopyFrom(model)
    taken = {node.name for node in named.graph.node}
    for index, node in enumerate(named.graph.node):
        if not node.name:
            node.name = f"{node.op_type}_{index}"
            while node.name in taken:
                node.name += "_"
            taken.add(node.name)
    return named


def network_core(model: onnx.ModelProto) -> set[str]:
    """Return the names of the nodes from the first weighted layer to the last, along every path.

    What lies before reads pixels in [0, 255] and counts up to 65,536 of them, what lies after makes
    probabilities and compares them with thresholds: neither survives eleven bits of mantissa.
    """
    nodes = list(model.graph.node)
    below: set[str] = set()  # tensors that a weighted layer has gone into
    after = set()
    for node in nodes:
        if is_weighted(node) or below.intersection(node.input):
            below.update(node.output)
            after.add(node.name)
    above: set[str] = set()  # tensors that go into a weighted layer
    before = set()
    for node in reversed(nodes):
        if is_weighted(node) or above.intersection(node.output):
            above.update(node.input)
            before.add(node.name)
    return after & before


def onnxruntime_floor(model: onnx.ModelProto) -> str:
    """Return the oldest ONNX Runtime that is sure to read the graph; of a newer format, the one here."""
    here = ".".join(onnxruntime.__version__.split(".")[:2])
    floors = [
        _floor(_IR_FLOOR, model.ir_version, here),
        _floor(_OPSET_FLOOR, opset_of(model), here),
    ]
    return max(floors, key=lambda version: tuple(map(int, version.split("."))))


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of ONNX's own operator set that the graph uses."""
    return max(opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx"))


def _floor(table: Mapping[int, str], version: int, here: str) -> str:
    return table.get(version, _OLDEST if version < min(table) else here)


def _precision(node: NodeProto, types: Mapping[str, int], makers: Mapping[str, str]) -> str:
    if all(makers.get(name) == "DequantizeLinear" for name in node.input[:2]):
        return "int8"
    element = types.get(node.input[1], types.get(node.input[0], TensorProto.UNDEFINED))
    return _NAMES.get(element, TensorProto.DataType.Name(element).lower())
