"""What Triton releases are sure to read."""

import onnxruntime
import pytest

from hilum.errors import UsageError
from training.export.onnx_export import OPSET
from training.repository.triton_releases import ONNX_RUNTIME, onnx_limits


@pytest.mark.parametrize(
    ("triton", "opset", "ir_version", "runtime"),
    [
        ("24.04", 20, 9, "1.17.3"),
        ("24.10", 21, 10, "1.19.2"),
        ("25.02", 21, 10, "1.20.1"),
        ("26.08", 21, 10, "1.28.0"),
    ],
)
def test_the_limits_are_those_of_the_onnx_runtime_inside(
    triton: str, opset: int, ir_version: int, runtime: str
) -> None:
    limits = onnx_limits(triton)
    assert (limits.opset, limits.ir_version) == (opset, ir_version)
    assert limits.server == f"Triton {triton} (ONNX Runtime {runtime})"


def test_no_later_release_reads_less() -> None:
    limits = [onnx_limits(triton) for triton in sorted(ONNX_RUNTIME)]
    assert limits == sorted(limits, key=lambda each: (each.opset, each.ir_version))


def test_an_unknown_release_is_refused_with_what_to_do() -> None:
    with pytest.raises(UsageError, match=r"Triton 24.03 .*from 24.04 to 26.08. For a newer one name 26.08"):
        onnx_limits("24.03")


def test_what_is_exported_can_be_read_by_the_oldest_supported_server() -> None:
    assert onnx_limits().opset >= OPSET
    assert tuple(map(int, onnxruntime.__version__.split(".")[:2])) >= (1, 19)
