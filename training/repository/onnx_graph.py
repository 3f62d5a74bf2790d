"""Compares an ONNX file with the configuration that serves it, without running either."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx.external_data_helper import ExternalDataInfo, uses_external_data
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig, ModelInput, ModelOutput

from training.repository.defect import Defect
from training.repository.triton_releases import OnnxLimits, onnx_limits

_REEXPORT = "Export the network again with `hilum export`, which writes the contract's tensors."

_RENAMED = {"FLOAT": "FP32", "DOUBLE": "FP64", "FLOAT16": "FP16", "BFLOAT16": "BF16"}
"""ONNX element types whose name in a Triton configuration is another."""


def lint_network(path: Path, config: ModelConfig, file: str) -> Iterator[Defect]:
    """Yield what keeps the ONNX file at `path` from being served under `config`; `file` names it."""
    try:
        network = onnx.load(path, load_external_data=False)
    except DecodeError:
        yield Defect(file, "This is no ONNX model: it cannot be parsed.", _REEXPORT)
        return
    yield from lint_age(network, file, onnx_limits())
    missing = list(_missing_external_data(network, path.parent))
    for name in missing:
        yield Defect(
            file, f"Its weights lie in a second file, {name}, which is missing.", "Export it as one file."
        )
    if not missing:
        try:
            onnx.checker.check_model(path)
        except onnx.checker.ValidationError as error:
            yield Defect(file, f"This is no valid ONNX model: {str(error).splitlines()[0]}", _REEXPORT)
    initializers = {initializer.name for initializer in network.graph.initializer}
    inputs = [value for value in network.graph.input if value.name not in initializers]
    yield from _lint_tensors("input", config.input, inputs, file)
    yield from _lint_tensors("output", config.output, network.graph.output, file)
    for name in sorted({value.name for value in inputs} - {tensor.name for tensor in config.input}):
        yield Defect(file, f"It needs an input {name!r} that the configuration does not have.", _REEXPORT)


def lint_age(network: onnx.ModelProto, file: str, limits: OnnxLimits) -> Iterator[Defect]:
    """Yield a defect for a format or an operator set that is newer than a server is sure to read."""
    remedy = f"Export it with opset {limits.opset} or older and IR version {limits.ir_version} or older."
    reads = f"{limits.server} is sure to read up to"
    if network.ir_version > limits.ir_version:
        yield Defect(file, f"Its IR version is {network.ir_version}; {reads} {limits.ir_version}.", remedy)
    for opset in network.opset_import:
        if opset.domain in ("", "ai.onnx") and opset.version > limits.opset:
            yield Defect(file, f"Its opset is {opset.version}; {reads} {limits.opset}.", remedy)


def _missing_external_data(network: onnx.ModelProto, folder: Path) -> Iterator[str]:
    """Yield each file outside the model that holds weights and is not there."""
    locations = {
        ExternalDataInfo(tensor).location
        for tensor in network.graph.initializer
        if uses_external_data(tensor)
    }
    yield from sorted(location for location in locations if not (folder / location).is_file())


def _lint_tensors(
    role: str,
    configured: Iterable[ModelInput | ModelOutput],
    values: Iterable[onnx.ValueInfoProto],
    file: str,
) -> Iterator[Defect]:
    """Yield where inputs or outputs differ in name, dtype or shape."""
    by_name = {value.name: value.type.tensor_type for value in values}
    for tensor in configured:
        if tensor.name not in by_name:
            found = ", ".join(sorted(by_name)) or "none"
            yield Defect(
                file,
                f"The configuration names the {role} {tensor.name!r}; the network's {role}s are: {found}.",
                _REEXPORT,
            )
            continue
        network_type = by_name[tensor.name]
        expected, found = DataType.Name(tensor.data_type), _dtype_name(network_type.elem_type)
        if expected != found:
            yield Defect(
                file, f"{role.capitalize()} {tensor.name!r} is {found}, configured as {expected}.", _REEXPORT
            )
        problem = _shape_problem(_shape(network_type), tensor.dims, exact=role == "output")
        if problem:
            yield Defect(file, f"{role.capitalize()} {tensor.name!r}: {problem}", _REEXPORT)


def _shape_problem(shape: Sequence[int], dims: Sequence[int], *, exact: bool) -> str | None:
    """Return what is wrong with a network's shape for configured dims, which omit the batch axis.

    As strict as NVIDIA's backend: a size that the network fixes must be configured; of an output
    (`exact`) a size that the network leaves open must be configured as open too.
    """
    if len(shape) != len(dims) + 1:
        return f"the network's shape is {list(shape)}, configured is [batch, {', '.join(map(str, dims))}]."
    if shape[0] != -1:
        return f"the batch axis is frozen at {shape[0]}; it must be dynamic."
    if any(size != dim and (exact or size != -1) for size, dim in zip(shape[1:], dims, strict=True)):
        return f"the network's shape without the batch axis is {list(shape[1:])}, configured is {list(dims)}."
    return None


def _shape(tensor_type: onnx.TypeProto.Tensor) -> list[int]:
    """Return a tensor's shape in an ONNX graph, -1 where it is symbolic or unknown."""
    return [dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor_type.shape.dim]


def _dtype_name(elem_type: int) -> str:
    """Return an ONNX element type by its name in a Triton configuration."""
    name = onnx.TensorProto.DataType.Name(elem_type)
    return f"TYPE_{_RENAMED.get(name, name)}"
