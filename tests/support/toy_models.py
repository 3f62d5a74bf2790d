"""Small ONNX networks with the contract's names, for tests that need a server but no training."""

import onnx
from onnx import parser

TOY_EMBEDDING_SIZE = 8
TOY_MAP_SIZE = 4


def toy_filter(threshold: float = 0.1) -> onnx.ModelProto:
    """Return a filter whose probability is the mean brightness in [0, 1]: dark images are rejected."""
    return _checked(f"""
        <ir_version: 10, opset_import: ["" : 20]>
        xray_filter (uint8[N,1,256,256] radiograph) => (float[N,1] valid_probability, bool[N,1] accepted)
        <float threshold = {{{threshold}}}, int64[3] axes = {{1, 2, 3}}, float scale = {{255.0}},
         int64[2] column = {{-1, 1}}>
        {{
            pixels = Cast<to = 1>(radiograph)
            mean = ReduceMean<keepdims = 0>(pixels, axes)
            share = Div(mean, scale)
            valid_probability = Reshape(share, column)
            accepted = GreaterOrEqual(valid_probability, threshold)
        }}""")


def toy_classifier(gain: float = 4.0) -> onnx.ModelProto:
    """Return a row-gated classifier: the brightness of three corners, sharpened by `gain`.

    Rejected rows (accepted is false) come back as NaN, like the real classifier's.
    """
    return _checked(f"""
        <ir_version: 10, opset_import: ["" : 20]>
        xray_classifier (uint8[N,1,256,256] radiograph, bool[N,1] accepted)
            => (float[N,3] probabilities, float[N,3,4,4] activation_map, float[N,8] embedding)
        <int64[1] flat = {{-1}}, float gain = {{{gain / 255}}},
         int64[1] k = {{3}}, int64[3] khw = {{3, 4, 4}}, int64[1] d = {{8}},
         int64[2] rows_by_48 = {{-1, 16}}, int64[3] corners = {{0, 5, 10}},
         int64[8] eight = {{0,1,2,3,4,5,6,7}},
         int64[4] to_k = {{1, 3, 1, 1}}>
        {{
            keep = Reshape(accepted, flat)
            rows = Compress<axis = 0>(radiograph, keep)
            pixels = Cast<to = 1>(rows)
            pooled = AveragePool<kernel_shape = [64, 64], strides = [64, 64]>(pixels)
            cells = Reshape(pooled, rows_by_48)
            picked = Gather<axis = 1>(cells, corners)
            logits = Mul(picked, gain)
            row_probabilities = Softmax<axis = 1>(logits)
            row_map = Tile(pooled, to_k)
            row_embedding = Gather<axis = 1>(cells, eight)
            found = NonZero(keep)
            index = Transpose<perm = [1, 0]>(found)
            batch = Shape<start = 0, end = 1>(radiograph)
            shape_p = Concat<axis = 0>(batch, k)
            blank_p = ConstantOfShape<value = float[1] {{nan}}>(shape_p)
            probabilities = ScatterND(blank_p, index, row_probabilities)
            shape_m = Concat<axis = 0>(batch, khw)
            blank_m = ConstantOfShape<value = float[1] {{nan}}>(shape_m)
            activation_map = ScatterND(blank_m, index, row_map)
            shape_e = Concat<axis = 0>(batch, d)
            blank_e = ConstantOfShape<value = float[1] {{nan}}>(shape_e)
            embedding = ScatterND(blank_e, index, row_embedding)
        }}""")


def _checked(text: str) -> onnx.ModelProto:
    model = parser.parse_model(text)
    onnx.checker.check_model(model, full_check=True)
    return model
