"""What runs the networks, as Triton's configuration says it."""

import pytest
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from hilum.contract import CLASSIFIER, DECODE, FILTER, MONITOR
from tests.support.toy_release import toy_release
from training.repository.accelerator import lint_accelerator, precision_mode
from training.repository.config_pbtxt import build_configs, parse, render
from training.repository.served_release import Lineup

TOYS = Lineup(champion=toy_release(1))
NETWORKS = (FILTER, CLASSIFIER)


def test_the_cpu_is_the_default_with_one_thread_per_copy() -> None:
    for name in NETWORKS:
        config = build_configs(TOYS)[name]
        assert config == build_configs(TOYS, accelerator="cpu")[name]
        assert config.instance_group[0].kind == ModelInstanceGroup.KIND_CPU
        assert config.parameters["intra_op_thread_count"].string_value == "1"
        assert precision_mode(config) is None


def test_cuda_has_gpu_instances_that_batch_without_delay() -> None:
    config = build_configs(TOYS, accelerator="cuda", instances=3)[CLASSIFIER]
    assert [(group.kind, group.count) for group in config.instance_group] == [
        (ModelInstanceGroup.KIND_GPU, 3)
    ]
    assert config.HasField("dynamic_batching")
    assert not config.HasField("optimization")


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_tensorrt_is_an_accelerator_of_onnx_runtime(precision: str) -> None:
    configs = build_configs(TOYS, accelerator=f"tensorrt_{precision}")  # type: ignore[arg-type]
    for name in NETWORKS:
        config = parse(render(configs[name]).decode())
        assert config == configs[name]
        assert config.backend == "onnxruntime"
        (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
        assert accelerator.name == "tensorrt"
        assert accelerator.parameters["precision_mode"] == precision.upper()
        assert accelerator.parameters["trt_engine_cache_enable"] == "1"
        assert accelerator.parameters["trt_engine_cache_path"].startswith("/")
        assert precision_mode(config) == precision
        assert list(lint_accelerator(config, name)) == []


def test_python_models_stay_on_the_cpu() -> None:
    configs = build_configs(TOYS, accelerator="tensorrt_fp16")
    for name in (DECODE, MONITOR):
        assert configs[name] == build_configs(TOYS)[name]


def test_an_accelerator_without_a_gpu_instance_is_named() -> None:
    config: ModelConfig = build_configs(TOYS, accelerator="tensorrt_fp16")[FILTER]
    config.instance_group[0].kind = ModelInstanceGroup.KIND_CPU
    (defect,) = lint_accelerator(config, "xray_filter/config.pbtxt")
    assert "asks for the accelerator tensorrt, but no instance group is of KIND_GPU" in defect.problem
