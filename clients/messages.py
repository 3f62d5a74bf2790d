"""What goes over the wire: bytes to request tensors, and response tensors to a `Screening`.

Shared by the clients and the load generator, so that all ask the same question.
"""

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult
from tritonclient.grpc.model_config_pb2 import ModelConfig

from clients.errors import TooLargeError
from clients.results import Screening
from hilum.contract import (
    ACCEPTED,
    ACTIVATION_MAP,
    EMBEDDING,
    IMAGE_BYTES,
    LABELS,
    PROBABILITIES,
    VALID_PROBABILITY,
    Tensor,
)
from hilum.errors import UsageError
from hilum.operating_point import OperatingPoint
from hilum.radiograph import MAX_BYTES

CHANNEL_OPTIONS = [
    # One image and its envelope; and an answer, whose largest part is an activation map.
    ("grpc.max_send_message_length", MAX_BYTES + 2**16),
    ("grpc.max_receive_message_length", 2**24),
    # A server that is replaced is back within a second or two; gRPC would not look again for that long.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5000),
]
"""Limits on message sizes in bytes, in place of gRPC's 4 MiB for answers and none for requests; and how soon
a broken connection is tried again, in milliseconds, in place of 1 s at first and 2 minutes at last."""

ANSWER = (VALID_PROBABILITY, ACCEPTED, PROBABILITIES)
"""The outputs that every screening asks for."""


class ContractMismatchError(ValueError):
    """The server's answer does not have the contract's form."""


def image_input(image: bytes) -> InferInput:
    """Return one image file's content as the request's `image_bytes`, BYTES (1, 1).

    Raises:
        TooLargeError: it is larger than the server's decoder takes.
    """
    if len(image) > MAX_BYTES:
        raise TooLargeError(len(image))
    tensor = InferInput(IMAGE_BYTES.name, [1, 1], IMAGE_BYTES.dtype)
    tensor.set_data_from_numpy(np.array([[image]], dtype=np.object_))
    return tensor


def requested_outputs(*extra: Tensor) -> list[InferRequestedOutput]:
    """Return the outputs to ask for: the answer, and `extra` ones that cost bandwidth."""
    return [InferRequestedOutput(tensor.name) for tensor in (*ANSWER, *extra)]


def extra_outputs(heatmap: bool, embedding: bool) -> list[Tensor]:  # noqa: FBT001 - two of a kind
    """Return the outputs that cost bandwidth and are wanted."""
    return [tensor for tensor, wanted in ((ACTIVATION_MAP, heatmap), (EMBEDDING, embedding)) if wanted]


def read_output(result: InferResult, tensor: Tensor) -> NDArray[np.generic]:
    """Return one image's output without the batch axis.

    Raises:
        ContractMismatchError: the output is missing, or has another shape than the contract's.
    """
    array = result.as_numpy(tensor.name)
    expected = (1, *tensor.shape)
    if array is None or not _fits(array.shape, expected):
        found = "nothing" if array is None else str(array.shape)
        raise ContractMismatchError(f"expected {tensor.name} of shape {expected}, found {found}")
    row: NDArray[np.generic] = array[0]
    return row


def read_probabilities(result: InferResult) -> dict[str, float] | None:
    """Return the probability by label, or None for the NaN row of a rejected image."""
    row = read_output(result, PROBABILITIES).astype(np.float64)
    if np.isnan(row).any():
        return None
    return dict(zip(LABELS, row.tolist(), strict=True))


def release_of(result: InferResult) -> int:
    """Return the release that answered: the version of the ensemble."""
    return int(result.get_response().model_version)


def read_operating_point(release: int, config: ModelConfig) -> OperatingPoint:
    """Return the decision thresholds of a release from the configuration of its front door.

    Raises:
        ContractMismatchError: it has none.
    """
    parameters = {name: value.string_value for name, value in config.parameters.items()}
    try:
        return OperatingPoint.from_parameters(parameters)
    except (UsageError, ValueError) as error:
        raise ContractMismatchError(f"release {release} has no operating point: {error}") from error


def read_screening(result: InferResult, point: OperatingPoint, extra: list[Tensor]) -> Screening:
    """Return the answer as a caller reads it.

    Args:
        result: the response.
        point: the decision thresholds of the release that answered.
        extra: the outputs that were asked for beside the answer.

    Raises:
        ContractMismatchError: an output is missing, or has another shape than the contract's.
    """
    probabilities = read_probabilities(result)

    def wanted(tensor: Tensor) -> NDArray[np.float32] | None:
        if tensor not in extra or probabilities is None:
            return None
        return read_output(result, tensor).astype(np.float32, copy=False)

    return Screening(
        release=release_of(result),
        accepted=bool(read_output(result, ACCEPTED)[0]),
        valid_probability=float(read_output(result, VALID_PROBABILITY).astype(np.float64)[0]),
        probabilities=probabilities,
        finding=None if probabilities is None else point.finding(list(probabilities.values())),
        activation_map=wanted(ACTIVATION_MAP),
        embedding=wanted(EMBEDDING),
    )


def _fits(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    """Tell whether `shape` is the expected one, where -1 stands for any length."""
    return len(shape) == len(expected) and all(
        length in (-1, found) for length, found in zip(expected, shape, strict=True)
    )
