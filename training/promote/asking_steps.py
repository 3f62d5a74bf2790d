"""Asks the models of a release one after the other, as its ensemble will, before a front door is theirs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput

from hilum.contract import (
    ACCEPTED,
    CLASSIFIER,
    DECODE,
    FILTER,
    IMAGE_BYTES,
    PROBABILITIES,
    RADIOGRAPH,
    VALID_PROBABILITY,
    Tensor,
)
from training.promote.asking import FrontDoorAnswer
from training.repository.served_release import ServedRelease

Values = Mapping[Tensor, npt.NDArray[Any]]
"""Tensors of one image, each with the batch axis first."""


def ask_steps(
    client: InferenceServerClient, image: bytes, release: ServedRelease, *, timeout_s: float
) -> FrontDoorAnswer:
    """Return what decoder, filter and classifier of a release answer to the content of one image file.

    Each is asked in the version that the release names. The monitor is left out: nobody was served.

    Args:
        client: a connection to their Triton.
        image: the file as it is.
        release: the release, whose models are loaded.
        timeout_s: longest wait for one model, in seconds.

    Raises:
        InferenceServerException: one of them does not answer; the caller knows what that means.
    """
    values: Values = {IMAGE_BYTES: np.array([[image]], dtype=np.object_)}
    for model, inputs, outputs in (
        (DECODE, (IMAGE_BYTES,), (RADIOGRAPH,)),
        (FILTER, (RADIOGRAPH,), (VALID_PROBABILITY, ACCEPTED)),
        (CLASSIFIER, (RADIOGRAPH, ACCEPTED), (PROBABILITIES,)),
    ):
        result = client.infer(
            model,
            [_input(tensor, values[tensor]) for tensor in inputs],
            model_version=str(release.version_of(model)),
            outputs=[InferRequestedOutput(tensor.name) for tensor in outputs],
            client_timeout=timeout_s,
        )
        values = {**values, **{tensor: result.as_numpy(tensor.name) for tensor in outputs}}
    return FrontDoorAnswer(
        release=release.number,
        valid_probability=float(values[VALID_PROBABILITY][0, 0]),
        accepted=bool(values[ACCEPTED][0, 0]),
        probabilities=tuple(map(float, values[PROBABILITIES][0])),
    )


def _input(tensor: Tensor, value: npt.NDArray[Any]) -> InferInput:
    given = InferInput(tensor.name, list(value.shape), tensor.dtype)
    given.set_data_from_numpy(value)
    return given
