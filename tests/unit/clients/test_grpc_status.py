"""Triton's words, as version 2.51 says them, become errors of the right class with the right facts."""

import pytest
from tritonclient.utils import InferenceServerException

from clients.errors import (
    DeadlineExceededError,
    ModelNotReadyError,
    OverloadedError,
    RadiographRefusedError,
    ServerFailureError,
    ServerUnreachableError,
)
from clients.grpc_status import translate, translated
from hilum.errors import HilumError

ADDRESS = "127.0.0.1:8001"
IN_ENSEMBLE = "in ensemble 'xray_screening', "


def _translate(status: str, message: str) -> HilumError:
    return translate(InferenceServerException(message, status=f"StatusCode.{status}"), ADDRESS, 2.5)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", DeadlineExceededError),
        ("UNAVAILABLE", "failed to connect to all addresses; last error: refused", ServerUnreachableError),
        ("UNAVAILABLE", "Socket closed", ServerUnreachableError),
        ("NOT_FOUND", "Request for unknown model: 'xray_screening' is not found", ModelNotReadyError),
        (
            "UNAVAILABLE",
            "Request for unknown model: 'xray_screening' version 7 is not at ready state",
            ModelNotReadyError,
        ),
        (
            "UNAVAILABLE",
            f"{IN_ENSEMBLE}[request id: <id_unknown>] Exceeds maximum queue size",
            OverloadedError,
        ),
        ("UNAVAILABLE", f"{IN_ENSEMBLE}Request timeout expired", OverloadedError),
        ("UNAVAILABLE", f"{IN_ENSEMBLE}a step is gone", ServerFailureError),
        ("INVALID_ARGUMENT", f"{IN_ENSEMBLE}It is a PDF.", RadiographRefusedError),
        (
            "INVALID_ARGUMENT",
            "unexpected inference output 'embedding' for model 'xray_screening'",
            ServerFailureError,
        ),
        ("INTERNAL", f"{IN_ENSEMBLE}Stub process 'xray_decode_0_0' is not healthy.", ServerFailureError),
        ("UNIMPLEMENTED", "Received http2 header with status: 404", ServerFailureError),
    ],
)
def test_each_status_becomes_its_own_error(status: str, message: str, kind: type[HilumError]) -> None:
    assert type(_translate(status, message)) is kind


def test_a_refusal_carries_the_decoders_own_sentence() -> None:
    error = _translate("INVALID_ARGUMENT", f"{IN_ENSEMBLE}It is a PDF; send JPEG, PNG or DICOM.")
    assert str(error) == "It is a PDF; send JPEG, PNG or DICOM."


def test_a_deadline_says_the_address_and_the_time_allowed() -> None:
    error = _translate("DEADLINE_EXCEEDED", "Deadline Exceeded")
    assert str(error).startswith("Triton does not answer at 127.0.0.1:8001. No answer came within 2.5 s")
    assert error.exit_code == 4


def test_a_failure_in_a_python_model_shows_its_first_line_and_not_its_trace() -> None:
    error = _translate(
        "INTERNAL", f"{IN_ENSEMBLE}Failed to process: ValueError: boom\n\nAt:\n  /srv/model.py(3)\n"
    )
    assert str(error) == (
        "Triton at 127.0.0.1:8001 failed: INTERNAL, Failed to process: ValueError: boom. Its log says more."
    )


def test_the_original_error_stays_attached() -> None:
    cause = InferenceServerException("Socket closed", status="StatusCode.UNAVAILABLE")
    with (
        pytest.raises(ServerUnreachableError, match=r"127\.0\.0\.1:8001.*Socket closed") as caught,
        translated(ADDRESS, 1),
    ):
        raise cause
    assert caught.value.__cause__ is cause
