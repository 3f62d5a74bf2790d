import numpy as np
import pytest
from numpy.typing import NDArray
from tritonclient.grpc import InferResult, service_pb2

from clients.messages import (
    ContractMismatchError,
    image_input,
    read_output,
    read_probabilities,
    requested_outputs,
)
from hilum.contract import ACTIVATION_MAP, LABELS, PROBABILITIES


def _answer(name: str, array: NDArray[np.float32]) -> InferResult:
    """Return a server's response with one output."""
    response = service_pb2.ModelInferResponse(raw_output_contents=[array.tobytes()])
    response.outputs.add(name=name, datatype="FP32", shape=array.shape)
    return InferResult(response)


def test_an_images_bytes_are_sent_unchanged() -> None:
    image = bytes(range(256)) * 3 + b"\x00"
    tensor = image_input(image)
    assert (tensor.name(), tensor.shape(), tensor.datatype()) == ("image_bytes", [1, 1], "BYTES")
    assert tensor._get_content() == len(image).to_bytes(4, "little") + image


def test_what_costs_bandwidth_is_asked_for_only_when_named() -> None:
    usual = ["valid_probability", "accepted", "probabilities"]
    assert [output.name() for output in requested_outputs()] == usual
    assert [output.name() for output in requested_outputs(ACTIVATION_MAP)] == [*usual, "activation_map"]


def test_probabilities_go_by_label() -> None:
    row = np.array([[0.5, 0.25, 0.25]], np.float32)
    assert read_probabilities(_answer("probabilities", row)) == dict(
        zip(LABELS, (0.5, 0.25, 0.25), strict=True)
    )


def test_a_nan_row_has_no_probabilities() -> None:
    assert read_probabilities(_answer("probabilities", np.full((1, 3), np.nan, np.float32))) is None


@pytest.mark.parametrize("shape", [(1, 4), (2, 3), (3,)])
def test_another_number_of_probabilities_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ContractMismatchError, match=r"expected probabilities of shape \(1, 3\), found"):
        read_output(_answer("probabilities", np.zeros(shape, np.float32)), PROBABILITIES)


def test_an_axis_that_the_network_decides_may_have_any_length() -> None:
    maps = np.arange(3 * 5 * 7, dtype=np.float32).reshape(1, 3, 5, 7)
    assert np.array_equal(read_output(_answer("activation_map", maps), ACTIVATION_MAP), maps[0])


def test_a_missing_output_is_named() -> None:
    with pytest.raises(ContractMismatchError, match=r"expected probabilities .* found nothing"):
        read_output(_answer("embedding", np.zeros((1, 3), np.float32)), PROBABILITIES)
