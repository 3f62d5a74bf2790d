"""Runs an ONNX model in memory."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray


def run_onnx(
    model: onnx.ModelProto, radiographs: NDArray[np.uint8], accepted: NDArray[np.bool_] | None = None
) -> dict[str, NDArray[Any]]:
    """Return the outputs by name; every row is accepted where nothing else is said."""
    if accepted is None:
        accepted = np.ones((len(radiographs), 1), dtype=np.bool_)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = {"radiograph": radiographs, "accepted": accepted}
    names = [output.name for output in session.get_outputs()]
    wanted = {value.name: inputs[value.name] for value in session.get_inputs()}
    return dict(zip(names, session.run(names, wanted), strict=True))
