"""Writes a network's FP16 variant: half precision from the first weighted layer to the last, FP32 around it.

The usual converters keep a list of nodes in FP32 but still carry every tensor between them as FP16. Here that
would round the pixel counts of an equalised histogram (65,536 is infinity in FP16) and the probability that
meets a threshold. So tensors are cast exactly where they cross into the network's core and out of it.
"""

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from hilum.errors import HilumError
from training.export.precision import name_nodes, network_core, tensor_types

KEPT_FP32 = frozenset(
    {"Cast", "Resize", "Softmax", "LogSoftmax", "ReduceMean", "ReduceSum", "GlobalAveragePool", "Exp", "Pow"}
)
"""Operators that stay FP32 inside the core too: sums over whole maps, and what has types of its own."""


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the network with the weights and activations of its core in FP16, inputs and outputs unchanged.

    Raises:
        HilumError: a weight is too large for FP16, or a tensor's type cannot be inferred.
    """
    half = name_nodes(model)
    graph = half.graph
    core, served = network_core(half), {output.name for output in graph.output}
    inside = {
        node.name
        for node in graph.node
        if node.name in core and node.op_type not in KEPT_FP32 and not served.intersection(node.output)
    }
    made_inside = {output for node in graph.node if node.name in inside for output in node.output}
    casts = _Casts(graph, tensor_types(half))
    nodes: list[NodeProto] = []
    for node in graph.node:
        for index, name in enumerate(node.input):
            if node.name in inside and name not in made_inside:
                node.input[index] = casts.narrowed(name, nodes)
            elif node.name not in inside and name in made_inside:
                node.input[index] = casts.widened(name, nodes)
        nodes.append(node)
    graph.ClearField("node")
    graph.node.extend(nodes)
    graph.ClearField("value_info")  # types that are FP16 now
    casts.drop_unused_weights()
    onnx.checker.check_model(half, full_check=True)
    return half


class _Casts:
    """The casts at the border of the core, each made once, and the weights that need none."""

    def __init__(self, graph: onnx.GraphProto, types: dict[str, int]) -> None:
        self._graph = graph
        self._types = types
        self._weights = {weight.name: weight for weight in graph.initializer}
        self._made: set[str] = set()

    def is_fp32(self, name: str) -> bool:
        """Whether a tensor of the original graph is float32."""
        if name not in self._types:
            raise HilumError(
                f"{self._graph.name}: the type of tensor {name!r} cannot be inferred from its graph."
            )
        return self._types[name] == TensorProto.FLOAT

    def narrowed(self, name: str, nodes: list[NodeProto]) -> str:
        """Return the FP16 tensor of one that comes into the core; its cast goes to the end of `nodes`."""
        half = f"{name}_fp16"
        if not name or not self.is_fp32(name):  # an optional input that is left out has no name
            return name
        if half not in self._made:
            self._made.add(half)
            if name in self._weights:
                self._graph.initializer.append(_half_weight(self._weights[name], half))
            else:
                nodes.append(_cast(name, half, TensorProto.FLOAT16))
        return half

    def widened(self, name: str, nodes: list[NodeProto]) -> str:
        """Return the FP32 tensor of one that leaves the core; its cast goes to the end of `nodes`."""
        wide = f"{name}_fp32"
        if not self.is_fp32(name):
            return name
        if wide not in self._made:
            self._made.add(wide)
            nodes.append(_cast(name, wide, TensorProto.FLOAT))
        return wide

    def drop_unused_weights(self) -> None:
        """Remove the FP32 weights that only the core used."""
        used = {name for node in self._graph.node for name in node.input}
        weights = [weight for weight in self._graph.initializer if weight.name in used]
        self._graph.ClearField("initializer")
        self._graph.initializer.extend(weights)


def _cast(source: str, target: str, to: int) -> NodeProto:
    return helper.make_node("Cast", [source], [target], name=f"cast_{target}", to=to)


def _half_weight(weight: TensorProto, name: str) -> TensorProto:
    values = numpy_helper.to_array(weight)
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    if not np.isfinite(half).all():
        raise HilumError(
            f"The weight {weight.name!r} reaches {np.abs(values).max():.3g}, beyond FP16's 65504: this "
            "network has no FP16 variant."
        )
    return numpy_helper.from_array(half, name)
