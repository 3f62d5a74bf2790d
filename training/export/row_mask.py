"""Replaces a classifier's row gate by a mask, for runtimes that need every shape before the data.

    radiograph (N,..) --network--> row_* (N,..) --Where(accepted, row_*, NaN)--> (N,..)

A TensorRT engine cannot skip rows: how many rows Compress leaves is known only from the data. The masked
graph computes every row and then blanks the rejected ones: the same answers for the price of the whole batch.
"""

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from hilum.contract import ACCEPTED, RADIOGRAPH
from hilum.errors import HilumError
from training.export.row_gate import BATCH

DATA_DEPENDENT = frozenset({"Compress", "NonZero", "Unique", "NonMaxSuppression", "If", "Loop", "Scan"})
"""Operators whose output shape, or path, follows from the data."""


def mask_rows(gated: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph without operators whose shapes follow from the data, and with the same answers.

    Args:
        gated: a served network. A filter, which has no gate, comes back with its shapes checked only.

    Raises:
        HilumError: a data-dependent operator is left, so no TensorRT engine can be built of it.
    """
    masked = onnx.ModelProto()
    masked.CopyFrom(gated)
    graph = masked.graph
    gates = [node for node in graph.node if _is_gate(node)]
    for gate in gates:
        _replace_gate(graph, gate)
    if gates:
        _drop_unused(graph)
    left = sorted({node.op_type for node in graph.node} & DATA_DEPENDENT)
    if left:
        raise HilumError(
            f"{graph.name} cannot become a TensorRT engine: its graph holds {', '.join(left)}, whose shapes "
            "follow from the data. Serve it by ONNX Runtime, or export a network without."
        )
    onnx.checker.check_model(masked, full_check=True)
    return masked


def _is_gate(node: NodeProto) -> bool:
    """Whether a node takes the accepted rows out of the radiographs."""
    return node.op_type == "Compress" and node.input[0] == RADIOGRAPH.name


def _replace_gate(graph: onnx.GraphProto, gate: NodeProto) -> None:
    """Let the network read all rows, and replace each ScatterND that spreads its rows by a mask."""
    rows = gate.output[0]
    outputs = {output.name: output for output in graph.output}
    nodes: list[NodeProto] = []
    for node in graph.node:
        if rows in node.output:
            continue
        for index, name in enumerate(node.input):
            if name == rows:
                node.input[index] = RADIOGRAPH.name
        if node.op_type == "ScatterND" and node.output[0] in outputs:
            name = node.output[0]
            rank = len(outputs[name].type.tensor_type.shape.dim)
            nodes += _mask(node.input[2], name, rank)
        else:
            nodes.append(node)
    graph.ClearField("node")
    graph.node.extend(nodes)
    graph.ClearField("value_info")  # shapes of M rows, which are N now
    for values in (graph.input, graph.output):
        for value in values:
            value.type.tensor_type.shape.dim[0].dim_param = BATCH


def _mask(rows: str, output: str, rank: int) -> list[NodeProto]:
    """Return the nodes that keep the accepted rows of (N, ...) and set the others to NaN."""
    nan = numpy_helper.from_array(np.array(np.nan, dtype=np.float32))
    shape = numpy_helper.from_array(np.array([-1, *[1] * (rank - 1)], dtype=np.int64))
    return [
        helper.make_node("Constant", [], [f"mask_{output}_tail"], name=f"mask_{output}_tail", value=shape),
        helper.make_node(
            "Reshape",
            [ACCEPTED.name, f"mask_{output}_tail"],
            [f"mask_{output}"],
            name=f"mask_{output}_reshape",
        ),
        helper.make_node("Constant", [], [f"mask_{output}_nan"], name=f"mask_{output}_nan", value=nan),
        helper.make_node(
            "Where", [f"mask_{output}", rows, f"mask_{output}_nan"], [output], name=f"mask_{output}_where"
        ),
    ]


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Remove nodes and weights that no output needs: what is left of the gate."""
    needed = {output.name for output in graph.output}
    nodes: list[NodeProto] = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            nodes.insert(0, node)
    weights: list[TensorProto] = [weight for weight in graph.initializer if weight.name in needed]
    graph.ClearField("node")
    graph.node.extend(nodes)
    graph.ClearField("initializer")
    graph.initializer.extend(weights)
