"""Makes a classifier's graph skip the rows that the filter rejected.

    radiograph (N,..) --Compress(accepted)--> rows (M,..) --network--> row_* (M,..) --ScatterND--> (N,..)

Rows that were not accepted hold NaN. With nothing accepted, M is 0 and the network costs nothing:
no second request, no scripting in the server, and a batch may mix accepted and rejected images.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from hilum.contract import ACCEPTED, RADIOGRAPH

ROWS = "rows"
"""Input of the ungated graph, and the symbol of its batch axis."""

BATCH = "batch"
"""Symbol of the gated graph's batch axis."""

ROW_PREFIX = "row_"
"""The ungated graph's outputs are named `row_` and then the served output."""


def add_row_gate(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the gated graph of an ungated one.

    Args:
        model: one input `rows` (rows, 1, 256, 256) uint8; float32 outputs `row_NAME` (rows, ...) of
            known shape.

    Returns:
        A graph with inputs `radiograph` and `accepted`, and the outputs without their prefix.
    """
    gated = onnx.ModelProto()
    gated.CopyFrom(model)
    graph = gated.graph
    before = [
        _constant("gate_flat", [-1]),
        helper.make_node("Reshape", [ACCEPTED.name, "gate_flat"], ["gate_keep"]),
        helper.make_node("Compress", [RADIOGRAPH.name, "gate_keep"], [ROWS], axis=0),
    ]
    after = [
        helper.make_node("NonZero", ["gate_keep"], ["gate_found"]),
        helper.make_node("Transpose", ["gate_found"], ["gate_index"], perm=[1, 0]),
        helper.make_node("Shape", [RADIOGRAPH.name], ["gate_batch"], start=0, end=1),
    ]
    outputs = []
    for row_output in graph.output:
        name = row_output.name.removeprefix(ROW_PREFIX)
        shape = [int(axis.dim_value) for axis in row_output.type.tensor_type.shape.dim[1:]]
        after += _scatter(row_output.name, name, shape)
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, *shape]))
    nodes = [*before, *graph.node, *after]
    inputs = [
        helper.make_tensor_value_info(RADIOGRAPH.name, TensorProto.UINT8, [BATCH, *RADIOGRAPH.shape]),
        helper.make_tensor_value_info(ACCEPTED.name, TensorProto.BOOL, [BATCH, *ACCEPTED.shape]),
    ]
    for field, values in (("node", nodes), ("input", inputs), ("output", outputs)):
        graph.ClearField(field)
        getattr(graph, field).extend(values)
    return gated


def _scatter(rows: str, name: str, shape: Sequence[int]) -> list[NodeProto]:
    """Return the nodes that spread (M, *shape) over (N, *shape), NaN elsewhere."""
    nan = numpy_helper.from_array(np.array([np.nan], dtype=np.float32))
    return [
        _constant(f"gate_{name}_tail", shape),
        helper.make_node("Concat", ["gate_batch", f"gate_{name}_tail"], [f"gate_{name}_shape"], axis=0),
        helper.make_node("ConstantOfShape", [f"gate_{name}_shape"], [f"gate_{name}_blank"], value=nan),
        helper.make_node("ScatterND", [f"gate_{name}_blank", "gate_index", rows], [name]),
    ]


def _constant(name: str, values: Sequence[int]) -> NodeProto:
    """Return a node that yields an int64 vector."""
    value = numpy_helper.from_array(np.array(values, dtype=np.int64))
    return helper.make_node("Constant", [], [name], value=value)
