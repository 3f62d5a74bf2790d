"""Writes a network's int8 variant: static quantisation of its core, as QDQ nodes that any runtime reads.

Weights are quantised per channel, activations per tensor and symmetrically (zero point 0), which is the one
form that both ONNX Runtime and TensorRT compute in integers. Biases stay FP32: as INT32 under a
DequantizeLinear, the quantiser's default, TensorRT's parser is reported to refuse them (onnxruntime #14229,
onnx-tensorrt #850); ONNX Runtime makes integers of them itself when it loads the file (seen with 1.31).

Pixels and probabilities stay as they are: see `network_core`. The last layer, which weighs the evidence of
each class, stays FP32: it costs next to nothing.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from typing_extensions import override

from training.export.precision import WEIGHTED, is_weighted, name_nodes, network_core

METHOD = "minmax"
"""Ranges are the smallest and the largest value seen, widened to be symmetric."""


def to_int8(model: onnx.ModelProto, radiographs: NDArray[np.uint8]) -> onnx.ModelProto:
    """Return the network with its core quantised, inputs and outputs unchanged.

    Args:
        model: a served network.
        radiographs: (N, 1, 256, 256) uint8; the ranges of the activations are measured on them.
    """
    named = name_nodes(model)
    core = network_core(named)
    layers = [node.name for node in named.graph.node if is_weighted(node)]
    outside = [node.name for node in named.graph.node if node.name not in core]
    with TemporaryDirectory(prefix="hilum-int8-") as folder, _quiet():
        source, target = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        onnx.save(named, source)
        quantize_static(
            source,
            target,
            _Reader(named, radiographs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=sorted(WEIGHTED),
            nodes_to_exclude=[*outside, *layers[-1:]],
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False},
        )
        quantised = onnx.load(target)
    quantised.graph.name = model.graph.name
    quantised.ClearField("metadata_props")
    quantised.metadata_props.extend(model.metadata_props)  # the lineage; the quantiser adds notes of its own
    onnx.checker.check_model(quantised, full_check=True)
    return quantised


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no type hints
    """Shows the quantiser one radiograph at a time, each of them accepted."""

    def __init__(self, model: onnx.ModelProto, radiographs: NDArray[np.uint8]) -> None:
        self._feeds = _feeds([value.name for value in model.graph.input], radiographs)

    @override
    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)


def _feeds(names: list[str], radiographs: NDArray[np.uint8]) -> Iterator[dict[str, Any]]:
    for radiograph in radiographs:
        values = {"radiograph": radiograph[np.newaxis], "accepted": np.ones((1, 1), dtype=np.bool_)}
        yield {name: values[name] for name in names}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the quantiser's advice, to optimise the graph first, off stderr: torch has folded what can be."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(previous)
