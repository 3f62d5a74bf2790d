"""A Triton counts as down only where nobody answers at its address."""

from collections.abc import Iterator

import pytest
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from training.errors import RolloutError
from training.promote.triton_control import TritonControl


@pytest.fixture
def control() -> Iterator[TritonControl]:
    with TritonControl("triton:8001", "key") as opened:
        yield opened


def answer_with(monkeypatch: pytest.MonkeyPatch, outcome: bool | str) -> None:  # noqa: FBT001
    """Let the server answer, or the call fail with a gRPC status."""

    def is_server_live(_client: object, *, client_timeout: float) -> bool:
        assert client_timeout > 0
        if isinstance(outcome, str):
            raise InferenceServerException("It failed.", status=f"StatusCode.{outcome}")
        return outcome

    monkeypatch.setattr(grpcclient.InferenceServerClient, "is_server_live", is_server_live)


@pytest.mark.parametrize(("outcome", "is_live"), [(True, True), (False, False), ("UNAVAILABLE", False)])
def test_what_answers_runs_and_what_cannot_be_reached_is_down(
    control: TritonControl,
    monkeypatch: pytest.MonkeyPatch,
    outcome: bool | str,  # noqa: FBT001
    is_live: bool,  # noqa: FBT001
) -> None:
    answer_with(monkeypatch, outcome)
    assert control.is_live() is is_live


@pytest.mark.parametrize("status", ["DEADLINE_EXCEEDED", "UNKNOWN", "INTERNAL"])
def test_what_fails_otherwise_may_be_serving(
    control: TritonControl, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    answer_with(monkeypatch, status)
    with pytest.raises(
        RolloutError, match=r"Triton at triton:8001 could not say whether it runs: It failed\."
    ):
        control.is_live()
