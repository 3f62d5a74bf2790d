"""What the ONNX Runtime of each Triton release is sure to read.

The ONNX Runtime of each release is from "ONNX Runtime Versions" in docs/introduction/compatibility.md of
triton-inference-server/server (its state of August 2026); the newest opset and IR version of each ONNX
Runtime from the table at onnxruntime.ai/docs/reference/compatibility.html, which ends with 1.20. Newer ones
read all that older ones do, so for them the limits of 1.20 stand: sure to be read, not the most they read.
"""

from dataclasses import dataclass

from hilum.errors import UsageError


@dataclass(frozen=True, slots=True)
class OnnxLimits:
    """The newest ONNX that a server is sure to read."""

    server: str
    """Which server, as a sentence names it."""
    opset: int
    """Newest operator set of the domain `ai.onnx`."""
    ir_version: int
    """Newest version of the file format."""


ONNX_RUNTIME = {
    "24.04": "1.17.3",
    "24.05": "1.18.0",
    "24.06": "1.18.0",
    "24.07": "1.18.1",
    "24.08": "1.18.1",
    "24.09": "1.19.2",
    "24.10": "1.19.2",
    "24.11": "1.19.2",
    "24.12": "1.20.1",
    "25.01": "1.20.1",
    "25.02": "1.20.1",
    "25.03": "1.21.0",
    "25.04": "1.21.0",
    "25.05": "1.22.0",
    "25.06": "1.22.0",
    "25.07": "1.22.0",
    "25.08": "1.23.0",
    "25.09": "1.23.0",
    "25.10": "1.23.1",
    "25.11": "1.23.2",
    "25.12": "1.23.2",
    "26.01": "1.23.2",
    "26.02": "1.24.1",
    "26.03": "1.24.2",
    "26.04": "1.24.4",
    "26.05": "1.24.4",
    "26.06": "1.24.4",
    "26.07": "1.27.0",
    "26.08": "1.28.0",
}
"""ONNX Runtime by Triton release."""

_LIMITS = {"1.17": (20, 9), "1.18": (21, 10), "1.19": (21, 10), "1.20": (21, 10)}
"""Newest opset and IR version by ONNX Runtime."""

OLDEST_SUPPORTED = "24.10"
"""The oldest Triton that Hilum supports: the one that it embeds."""


def onnx_limits(triton: str = OLDEST_SUPPORTED) -> OnnxLimits:
    """Return what a Triton release is sure to read.

    Raises:
        UsageError: the table does not have that release.
    """
    if triton not in ONNX_RUNTIME:
        first, last = min(ONNX_RUNTIME), max(ONNX_RUNTIME)
        raise UsageError(
            f"Which ONNX Runtime Triton {triton} carries is not known here: expected YY.MM, one of the "
            f"releases from {first} to {last}. For a newer one name {last}, which reads no more."
        )
    runtime = ONNX_RUNTIME[triton]
    opset, ir_version = _LIMITS.get(runtime.rpartition(".")[0], _LIMITS["1.20"])
    return OnnxLimits(f"Triton {triton} (ONNX Runtime {runtime})", opset, ir_version)
