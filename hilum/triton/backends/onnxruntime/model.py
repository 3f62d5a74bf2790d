"""Triton's `onnxruntime` backend for the embedded server: the same contract as NVIDIA's C++ backend.

The server's Python wheel carries no ONNX Runtime backend, but Triton takes a Python class for one.
So `backend: "onnxruntime"` with `<version>/model.onnx` runs here as it does in NVIDIA's container.
Triton runs this file in a process of its own per model instance: it imports nothing of Hilum.
"""

import ctypes
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime
import triton_python_backend_utils as pb_utils

_DTYPES = {"TYPE_UINT8": "tensor(uint8)", "TYPE_FP32": "tensor(float)", "TYPE_BOOL": "tensor(bool)"}
"""ONNX Runtime's name of each Triton dtype in use."""

_PASSPORT_SUFFIX = ".passport.json"
"""`model.onnx.passport.json` says what `model.onnx` is; an older network may have none."""


class TritonPythonModel:
    """One instance of an ONNX network."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Compare the network with its passport, load it and compare it with the configuration.

        Raises:
            TritonModelException: no such file, no readable network, or another one than configured.
        """
        config = json.loads(args["model_config"])
        path = Path(args["model_repository"]) / args["model_version"] / "model.onnx"
        _check_passport(path, config["name"])
        try:
            self._session = onnxruntime.InferenceSession(
                path, _session_options(config), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors share no narrower base
            raise pb_utils.TritonModelException(f"ONNX Runtime cannot load {path}: {error}") from error
        _check_tensors("input", config, self._session.get_inputs(), path)
        _check_tensors("output", config, self._session.get_outputs(), path)
        self._inputs = [tensor["name"] for tensor in config["input"]]
        # A large batch would leave the arena at its peak for good (200 MB for 16 images of a
        # DenseNet-121): give that back, and keep what one image needs, which costs no time.
        self._shrink = onnxruntime.RunOptions()
        self._shrink.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        # The file's own copy of the weights is free now: 50 MB per instance of a DenseNet-121.
        ctypes.CDLL(None).malloc_trim(0)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer each request by itself: batching them gains nothing on a CPU."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        names = request.requested_output_names()
        feed = {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self._inputs}
        batch_size = len(feed[self._inputs[0]])
        try:
            arrays = self._session.run(names, feed, self._shrink if batch_size > 1 else None)
        except Exception as error:  # one request's failure is not the others'
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(f"ONNX Runtime failed: {error}"))
        return pb_utils.InferenceResponse(
            [pb_utils.Tensor(name, array) for name, array in zip(names, arrays, strict=True)]
        )


def _check_passport(path: Path, name: str) -> None:
    """Refuse a network that its passport was not written for, or that needs a newer ONNX Runtime."""
    source = path.with_name(path.name + _PASSPORT_SUFFIX)
    if not source.is_file() or not path.is_file():
        return
    try:
        passport = json.loads(source.read_text())
        claims = (passport["kind"], passport["model"], passport["sha256"])
        oldest = tuple(int(number) for number in passport["onnxruntime"].split("."))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise pb_utils.TritonModelException(
            f"{source} is no passport: {error!r}. Roll the release out again."
        ) from error
    with path.open("rb") as stream:
        found = ("onnx", name, hashlib.file_digest(stream, "sha256").hexdigest())
    if claims != found:
        raise pb_utils.TritonModelException(
            f"{path} is not the network that its passport was written for: expected "
            f"{' '.join(map(str, claims))}, found {' '.join(found)}. Roll the release out again."
        )
    here = tuple(int(number) for number in onnxruntime.__version__.split(".")[: len(oldest)])
    if here < oldest:
        raise pb_utils.TritonModelException(
            f"{path} needs ONNX Runtime {passport['onnxruntime']} or newer; this server has "
            f"{onnxruntime.__version__}."
        )


def _session_options(config: Mapping[str, Any]) -> onnxruntime.SessionOptions:
    """Return options for an instance that owns one core and shares the machine with others."""
    parameters = {key: value["string_value"] for key, value in config.get("parameters", {}).items()}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(parameters.get("intra_op_thread_count", "1"))
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _check_tensors(role: str, config: Mapping[str, Any], tensors: Sequence[Any], path: Path) -> None:
    """Refuse a network whose tensors are not those of the configuration.

    The network may have more outputs than are served, but not other inputs.
    """
    found = {tensor.name: tensor for tensor in tensors}
    batched = config["max_batch_size"] > 0
    for tensor in config[role]:
        name, dtype = tensor["name"], _DTYPES.get(tensor["data_type"], tensor["data_type"])
        dims = [int(size) for size in tensor["dims"]]
        if name not in found:
            _refuse(path, f"expected an {role} {name!r}, found {', '.join(found) or 'none'}")
        if found[name].type != dtype:
            _refuse(path, f"expected {role} {name!r} as {dtype}, found {found[name].type}")
        if not _fits(found[name].shape, dims, batched=batched):
            _refuse(path, f"expected {role} {name!r} with dims {dims}, found the shape {found[name].shape}")
    extra = set(found) - {tensor["name"] for tensor in config[role]}
    if role == "input" and extra:
        _refuse(path, f"its {role} {', '.join(sorted(extra))} is not in config.pbtxt")


def _fits(shape: Sequence[int | str | None], dims: Sequence[int], *, batched: bool) -> bool:
    """Whether a graph's shape, where a name or None varies, agrees with the configured dims (-1 varies)."""
    if batched:
        if not shape or isinstance(shape[0], int):  # the batch was frozen at export
            return False
        shape = shape[1:]
    return len(shape) == len(dims) and all(
        wanted == -1 or not isinstance(size, int) or size == wanted
        for size, wanted in zip(shape, dims, strict=True)
    )


def _refuse(path: Path, found: str) -> None:
    raise pb_utils.TritonModelException(
        f"{path} is not the network that config.pbtxt describes: {found}. "
        "Export it with `hilum export`, or correct config.pbtxt."
    )
