"""Toy networks with weighted layers, for tests of precision: two convolutions under a pooled head."""

import numpy as np
import onnx
from onnx import helper, numpy_helper, parser

FEATURES = 8


def conv_classifier(seed: int = 0, *, scale: float = 1.0) -> onnx.ModelProto:
    """Return a row-gated classifier of two convolutions; weights are drawn from `seed`, times `scale`."""
    model = parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 20]>
        xray_classifier (uint8[batch,1,256,256] radiograph, bool[batch,1] accepted)
            => (float[batch,3] probabilities, float[batch,3,4,4] activation_map, float[batch,8] embedding)
        <int64[1] flat = {-1}, float white = {255.0}, int64[2] plane = {2, 3},
         int64[1] k = {3}, int64[3] khw = {3, 4, 4}, int64[1] d = {8}>
        {
            keep = Reshape(accepted, flat)
            rows = Compress<axis = 0>(radiograph, keep)
            levels = Cast<to = 1>(rows)
            pixels = Div(levels, white)
            pooled = AveragePool<kernel_shape = [64, 64], strides = [64, 64]>(pixels)
            raw = Conv(pooled, first, bias)
            features = Relu(raw)
            row_map = Conv(features, last)
            logits = ReduceMean<keepdims = 0>(row_map, plane)
            row_probabilities = Softmax<axis = 1>(logits)
            row_embedding = ReduceMean<keepdims = 0>(features, plane)
            found = NonZero(keep)
            index = Transpose<perm = [1, 0]>(found)
            batch = Shape<start = 0, end = 1>(radiograph)
            shape_p = Concat<axis = 0>(batch, k)
            blank_p = ConstantOfShape<value = float[1] {nan}>(shape_p)
            probabilities = ScatterND(blank_p, index, row_probabilities)
            shape_m = Concat<axis = 0>(batch, khw)
            blank_m = ConstantOfShape<value = float[1] {nan}>(shape_m)
            activation_map = ScatterND(blank_m, index, row_map)
            shape_e = Concat<axis = 0>(batch, d)
            blank_e = ConstantOfShape<value = float[1] {nan}>(shape_e)
            embedding = ScatterND(blank_e, index, row_embedding)
        }""")
    random = np.random.default_rng(seed)
    _add(model, "first", scale * random.normal(0, 1, (FEATURES, 1, 1, 1)))
    _add(model, "bias", random.normal(0, 0.3, FEATURES))
    _add(model, "last", random.normal(0, 1.5, (3, FEATURES, 1, 1)))
    return _checked(model)


def conv_filter(threshold: float = 0.5) -> onnx.ModelProto:
    """Return a filter of one convolution over the brightness of 16 cells, and a softmax."""
    model = parser.parse_model(f"""
        <ir_version: 10, opset_import: ["" : 20]>
        xray_filter (uint8[batch,1,256,256] radiograph)
            => (float[batch,1] valid_probability, bool[batch,1] accepted)
        <float threshold = {{{threshold!r}}}, float white = {{255.0}}, int64[2] plane = {{2, 3}},
         int64[1] one = {{1}}, int64[1] two = {{2}}>
        {{
            levels = Cast<to = 1>(radiograph)
            pixels = Div(levels, white)
            pooled = AveragePool<kernel_shape = [64, 64], strides = [64, 64]>(pixels)
            raw = Conv(pooled, first)
            features = Relu(raw)
            map = Conv(features, last)
            logits = ReduceMean<keepdims = 0>(map, plane)
            both = Softmax<axis = 1>(logits)
            valid_probability = Slice(both, one, two, one)
            accepted = GreaterOrEqual(valid_probability, threshold)
        }}""")
    random = np.random.default_rng(1)
    _add(model, "first", random.normal(0, 1, (FEATURES, 1, 1, 1)))
    _add(model, "last", np.array([[-1.0] * FEATURES, [1.0] * FEATURES])[..., None, None])
    return _checked(model)


def _add(model: onnx.ModelProto, name: str, values: np.ndarray) -> None:  # type: ignore[type-arg]
    model.graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), name))


def _checked(model: onnx.ModelProto) -> onnx.ModelProto:
    helper.set_model_props(model, {"hilum.recipe": "toy"})
    onnx.checker.check_model(model, full_check=True)
    return model
