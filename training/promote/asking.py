"""Asks a front door about one image, over a connection that is there."""

from dataclasses import dataclass

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput

from hilum.contract import ACCEPTED, IMAGE_BYTES, PROBABILITIES, VALID_PROBABILITY


@dataclass(frozen=True, kw_only=True, slots=True)
class FrontDoorAnswer:
    """What a front door says to one image."""

    release: int
    """The release that answered: the version of the front door."""
    valid_probability: float
    """In [0, 1]."""
    accepted: bool
    """Whether the filter let it pass."""
    probabilities: tuple[float, ...]
    """In the order of the labels; NaN where rejected."""


def ask(client: InferenceServerClient, image: bytes, *, door: str, timeout_s: float) -> FrontDoorAnswer:
    """Return what a front door answers to the content of one image file.

    Args:
        client: a connection to its Triton.
        image: the file as it is.
        door: the front door's name.
        timeout_s: longest wait for the answer, in seconds.

    Raises:
        InferenceServerException: it does not answer; the caller knows what that means.
    """
    tensor = InferInput(IMAGE_BYTES.name, [1, 1], IMAGE_BYTES.dtype)
    tensor.set_data_from_numpy(np.array([[image]], dtype=np.object_))
    names = (VALID_PROBABILITY.name, ACCEPTED.name, PROBABILITIES.name)
    outputs = [InferRequestedOutput(name) for name in names]
    result = client.infer(door, [tensor], outputs=outputs, client_timeout=timeout_s)
    valid_probability, accepted, probabilities = (result.as_numpy(name)[0] for name in names)
    return FrontDoorAnswer(
        release=int(result.get_response().model_version),
        valid_probability=float(valid_probability[0]),
        accepted=bool(accepted[0]),
        probabilities=tuple(map(float, probabilities)),
    )
