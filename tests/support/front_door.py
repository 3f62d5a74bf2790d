"""Asks a running Triton's front door, and the same networks without a server."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import tritonclient.grpc as grpcclient

from hilum.contract import CLASSIFIER, FILTER, IMAGE_BYTES, SCREENING
from hilum.radiograph import decode_radiograph

TIMEOUT_S = 60.0
"""Longest wait for an answer, in seconds."""

Arrays = dict[str, npt.NDArray[Any]]


def ask_front_door(
    address: str, images: Sequence[bytes], outputs: Sequence[str] | None = None, *, model: str = SCREENING
) -> Arrays:
    """Send encoded images to an ensemble as one request and return its outputs, by name."""
    tensor = grpcclient.InferInput(IMAGE_BYTES.name, [len(images), 1], IMAGE_BYTES.dtype)
    tensor.set_data_from_numpy(np.array([[image] for image in images], dtype=np.object_))
    requested = None if outputs is None else [grpcclient.InferRequestedOutput(name) for name in outputs]
    with grpcclient.InferenceServerClient(address) as client:
        result = client.infer(model, [tensor], outputs=requested, client_timeout=TIMEOUT_S)
    return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}


def ask_directly(repository: Path, images: Sequence[bytes], version: int = 1) -> Arrays:
    """Run the repository's two networks in this process on the same images."""
    radiographs = np.stack([decode_radiograph(image) for image in images])
    answer = _run(repository / FILTER / str(version) / "model.onnx", radiograph=radiographs)
    answer |= _run(
        repository / CLASSIFIER / str(version) / "model.onnx",
        radiograph=radiographs,
        accepted=answer["accepted"],
    )
    return answer


def _run(path: Path, **inputs: npt.NDArray[Any]) -> Arrays:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))
