"""How a build is spelt for each TensorRT."""

from pathlib import Path

import pytest

from hilum.errors import UsageError
from tests.unit.training.export.tensorrt.conftest import make_plan
from training.export.tensorrt.plan import read_plan


def test_tensorrt_10_is_told_to_obey_the_graphs_types() -> None:
    assert "--stronglyTyped" in make_plan(tensorrt=10).build_arguments


def test_tensorrt_11_needs_no_telling() -> None:
    assert "--stronglyTyped" not in make_plan(tensorrt=11).build_arguments


@pytest.mark.parametrize("tensorrt", [10, 11])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_no_flag_sets_a_precision_and_tf32_is_off(tensorrt: int, precision: str) -> None:
    arguments = make_plan(tensorrt=tensorrt, precision=precision).build_arguments
    assert not {"--fp16", "--int8", "--best", "--bf16", "--fp8"} & set(arguments)
    assert not [argument for argument in arguments if argument.startswith("--calib")]
    assert "--noTF32" in arguments


def test_the_profile_names_every_input() -> None:
    arguments = make_plan().build_arguments
    assert "--minShapes=radiograph:1x1x256x256,accepted:1x1" in arguments
    assert "--optShapes=radiograph:8x1x256x256,accepted:8x1" in arguments
    assert "--maxShapes=radiograph:8x1x256x256,accepted:8x1" in arguments
    assert make_plan(model="xray_filter").shapes(4) == "radiograph:4x1x256x256"


def test_a_folder_without_a_plan_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no plan\.json"):
        read_plan(tmp_path)


@pytest.mark.parametrize("image", ["", "triton:24.10; rm -rf /", "triton$(id)", 'triton"', "triton\n"])
def test_an_image_that_is_none_is_refused(image: str) -> None:
    with pytest.raises(UsageError, match=r"is no name of a container image: .* by --image"):
        make_plan(image=image)
    assert make_plan(image="registry:5000/a_b/triton@sha256:0f").image == "registry:5000/a_b/triton@sha256:0f"


@pytest.mark.parametrize("capability", ["", "9", "9.0.1", "sm_90", '9.0"; id; "', "9.0\n"])
def test_a_compute_capability_that_is_none_is_refused(capability: str) -> None:
    with pytest.raises(UsageError, match=r"is no compute capability: .* like 9\.0"):
        make_plan(compute_capability=capability)
