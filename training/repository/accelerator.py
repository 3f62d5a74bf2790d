"""What runs the networks in NVIDIA's container: the CPU, CUDA, or ONNX Runtime's own TensorRT.

The last is the alternative to building an engine by hand: ONNX Runtime builds one at the first request, on
the server's own GPU and TensorRT, keeps it in a cache, and leaves what TensorRT cannot take (the row gate) to
CUDA.
The keys are those of Triton's ONNX Runtime backend (its README, "ONNX Runtime with TensorRT optimization").
"""

from collections.abc import Iterator

from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup, ModelOptimizationPolicy

from hilum.settings import Accelerator
from training.repository.defect import Defect

ENGINE_CACHE = "/tmp/hilum-tensorrt"  # noqa: S108  in the container; the one place that is writable everywhere
"""Engines and kernel timings are kept here; mount a volume to keep them longer than the container."""

WORKSPACE_BYTES = 1 << 30
"""GPU memory that TensorRT may use while it tries kernels."""

_PRECISION_MODES = {"tensorrt_fp32": "FP32", "tensorrt_fp16": "FP16", "tensorrt_int8": "INT8"}


def place_instances(config: ModelConfig, accelerator: Accelerator, *, instances: int) -> None:
    """Let `instances` copies of an ONNX network run on what `accelerator` says.

    On a GPU requests are batched as they come, without delay: one batch of eight costs little more than one
    image. On a CPU batching gains nothing, and each copy has one thread: threads of one image wait for each
    other.
    """
    if accelerator == "cpu":
        config.instance_group.add(kind=ModelInstanceGroup.KIND_CPU, count=instances)
        for parameter in ("intra_op_thread_count", "inter_op_thread_count"):
            config.parameters[parameter].string_value = "1"
        return
    config.instance_group.add(kind=ModelInstanceGroup.KIND_GPU, count=instances)
    config.dynamic_batching.max_queue_delay_microseconds = 0
    if accelerator in _PRECISION_MODES:
        config.optimization.execution_accelerators.gpu_execution_accelerator.append(
            ModelOptimizationPolicy.ExecutionAccelerators.Accelerator(
                name="tensorrt",
                parameters={
                    "precision_mode": _PRECISION_MODES[accelerator],
                    "max_workspace_size_bytes": str(WORKSPACE_BYTES),
                    "trt_engine_cache_enable": "1",
                    "trt_engine_cache_path": ENGINE_CACHE,
                    "trt_timing_cache_enable": "1",
                    "trt_timing_cache_path": ENGINE_CACHE,
                },
            )
        )


def precision_mode(config: ModelConfig) -> str | None:
    """Return what TensorRT inside ONNX Runtime may compute in: `fp32`, `fp16` or `int8`; None without it."""
    for accelerator in config.optimization.execution_accelerators.gpu_execution_accelerator:
        if accelerator.name == "tensorrt":
            return str(accelerator.parameters.get("precision_mode", "FP32")).lower()
    return None


def lint_accelerator(config: ModelConfig, file: str) -> Iterator[Defect]:
    """Yield where a GPU accelerator is asked for and no instance runs on a GPU: Triton would ignore it."""
    accelerators = config.optimization.execution_accelerators.gpu_execution_accelerator
    on_gpu = any(group.kind == ModelInstanceGroup.KIND_GPU for group in config.instance_group)
    if accelerators and not on_gpu:
        yield Defect(
            file,
            f"It asks for the accelerator {accelerators[0].name}, but no instance group is of KIND_GPU.",
            "Roll the release out again with HILUM_ACCELERATOR set.",
        )
