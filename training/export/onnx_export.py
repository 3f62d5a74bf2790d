"""Writes a trained network as one ONNX file with the contract's names."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from torch import nn

from hilum.contract import CLASSIFIER, FILTER, MODELS, RADIOGRAPH
from hilum.errors import HilumError
from hilum.files import write_atomic
from training.export.row_gate import BATCH, ROW_PREFIX, ROWS, add_row_gate
from training.export.served import ServedClassifier, ServedFilter
from training.tracking import MODEL_TAG

OPSET = 20
"""ONNX operator set: what both torch's exporter and Triton 24.10's ONNX Runtime speak natively."""


@dataclass(frozen=True)
class ExportedModel:
    """One ONNX file and what a model repository must know of it."""

    model: str
    """`xray_filter` or `xray_classifier`."""
    path: Path
    map_size: tuple[int, int] | None
    """(h, w) of the activation map; None for the filter."""
    embedding_size: int | None
    """D of the embedding; None for the filter."""


def export_onnx(
    served: ServedFilter | ServedClassifier, path: Path, lineage: Mapping[str, str]
) -> ExportedModel:
    """Write `served` to `path` as one file, whole or not at all.

    Args:
        served: in evaluation mode, on the CPU.
        path: where `model.onnx` goes.
        lineage: metadata properties to store in the file (run, recipe, digests).

    Raises:
        HilumError: the exported graph has not the contract's names, dtypes or a dynamic batch.
    """
    is_filter = isinstance(served, ServedFilter)
    name = FILTER if is_filter else CLASSIFIER
    outputs = [tensor.name for tensor in MODELS[name].outputs]
    if is_filter:
        model = _trace(served, RADIOGRAPH.name, outputs, BATCH)
    else:
        model = add_row_gate(_trace(served, ROWS, [f"{ROW_PREFIX}{output}" for output in outputs], ROWS))
    model.graph.name = name
    onnx.helper.set_model_props(model, {MODEL_TAG: name, **lineage})
    onnx.checker.check_model(model, full_check=True)
    shapes = _check_contract(model, name)
    write_atomic(path, model.SerializeToString(deterministic=True))
    height_width = shapes.get("activation_map", [])[2:]
    embedding = shapes.get("embedding")
    return ExportedModel(
        model=name,
        path=path,
        map_size=(height_width[0], height_width[1]) if height_width else None,
        embedding_size=embedding[1] if embedding else None,
    )


def _trace(module: nn.Module, input_name: str, outputs: list[str], batch: str) -> onnx.ModelProto:
    """Export a module of one radiograph input; at batch 2, since 0 and 1 would be taken for constants."""
    example = torch.zeros(2, *RADIOGRAPH.shape, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own deprecations
        program = torch.onnx.export(
            module,
            (example,),
            input_names=[input_name],
            output_names=outputs,
            dynamic_shapes=({0: torch.export.Dim(batch, min=1, max=1024)},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _check_contract(model: onnx.ModelProto, name: str) -> dict[str, list[int]]:
    """Return each output's shape (0: the batch axis), once names and dtypes are those of the contract."""
    dtypes = {"UINT8": onnx.TensorProto.UINT8, "FP32": onnx.TensorProto.FLOAT, "BOOL": onnx.TensorProto.BOOL}
    contract = MODELS[name]
    for tensors, infos in ((contract.inputs, model.graph.input), (contract.outputs, model.graph.output)):
        expected = [(tensor.name, dtypes[tensor.dtype]) for tensor in tensors]
        found = [(info.name, info.type.tensor_type.elem_type) for info in infos]
        if found != expected:
            raise HilumError(f"{name}: the exported graph has {found}, the contract {expected}.")
        for info in infos:
            if not info.type.tensor_type.shape.dim[0].dim_param:
                raise HilumError(f"{name}: the batch axis of {info.name} is frozen in the exported graph.")
    return {
        info.name: [int(axis.dim_value) for axis in info.type.tensor_type.shape.dim]
        for info in model.graph.output
    }
