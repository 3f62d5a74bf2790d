"""What goes over the wire: bytes to request tensors, and response tensors to numbers.

Shared by the synchronous client and the load generator, so that both ask the same question.
"""

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult

from clients.errors import TooLargeError
from hilum.contract import ACCEPTED, IMAGE_BYTES, LABELS, PROBABILITIES, VALID_PROBABILITY, Tensor
from hilum.radiograph import MAX_BYTES

CHANNEL_OPTIONS = [
    # One image and its envelope; and an answer, whose largest part is an activation map.
    ("grpc.max_send_message_length", MAX_BYTES + 2**16),
    ("grpc.max_receive_message_length", 2**24),
]
"""Limits on message sizes, in bytes, in place of gRPC's 4 MiB for answers and none for requests."""

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


def _fits(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    """Tell whether `shape` is the expected one, where -1 stands for any length."""
    return len(shape) == len(expected) and all(
        length in (-1, found) for length, found in zip(expected, shape, strict=True)
    )
