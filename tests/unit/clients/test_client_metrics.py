"""What a client counts, by a server in this process that answers as it is told."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from prometheus_client import REGISTRY, CollectorRegistry

from clients.client import ScreeningClient
from clients.errors import (
    DeadlineExceededError,
    ModelNotReadyError,
    OverloadedError,
    RadiographRefusedError,
    ServerFailureError,
    ServerUnreachableError,
    TlsError,
    TooLargeError,
)
from clients.metrics import ClientMetrics
from hilum.errors import HilumError
from hilum.radiograph import MAX_BYTES
from tests.support.certificates import Authority
from tests.support.fake_front_door import BROKEN, IN_ENSEMBLE, Failure, FakeFrontDoor
from tests.support.grpc_server import grpc_server


@pytest.fixture
def door() -> FakeFrontDoor:
    return FakeFrontDoor()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def client(door: FakeFrontDoor, registry: CollectorRegistry) -> Iterator[ScreeningClient]:
    with (
        grpc_server(door) as address,
        ScreeningClient(address, timeout_s=20, metrics=ClientMetrics(registry)) as client,
    ):
        yield client


def counted(registry: CollectorRegistry) -> dict[str, float]:
    """Return how many requests were counted, by outcome, without those that are 0."""
    name = "hilum_client_request_duration_seconds_count"
    return {
        sample.labels["outcome"]: sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == name and sample.value
    }


def test_every_series_is_there_from_the_start(registry: CollectorRegistry) -> None:
    ClientMetrics(registry)
    for outcome in ("accepted", "rejected", "undecodable", "unavailable", "overloaded", "deadline", "error"):
        labels = {"outcome": outcome}
        assert registry.get_sample_value("hilum_client_request_duration_seconds_count", labels) == 0
    assert registry.get_sample_value("hilum_client_retries_total") == 0


def test_answers(client: ScreeningClient, door: FakeFrontDoor, registry: CollectorRegistry) -> None:
    assert client.screen(b"image").finding == "lung_opacity"
    door.accepts = False
    assert client.screen(b"image").finding is None
    assert counted(registry) == {"accepted": 1, "rejected": 1}
    seconds = registry.get_sample_value("hilum_client_request_duration_seconds_sum", {"outcome": "accepted"})
    assert seconds is not None
    assert 0 < seconds < 20


@pytest.mark.parametrize(
    ("failure", "error", "outcome"),
    [
        (
            (grpc.StatusCode.INVALID_ARGUMENT, f"{IN_ENSEMBLE}It is a PDF."),
            RadiographRefusedError,
            "undecodable",
        ),
        ((grpc.StatusCode.NOT_FOUND, "Request for unknown model: 'x'"), ModelNotReadyError, "unavailable"),
        ((grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size"), OverloadedError, "overloaded"),
        ((grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"), DeadlineExceededError, "deadline"),
        ((grpc.StatusCode.INTERNAL, f"{IN_ENSEMBLE}it broke"), ServerFailureError, "error"),
    ],
)
def test_failures_that_are_final(
    client: ScreeningClient,
    door: FakeFrontDoor,
    registry: CollectorRegistry,
    failure: Failure,
    error: type[HilumError],
    outcome: str,
) -> None:
    door.failures = [failure]
    with pytest.raises(error):
        client.screen(b"image")
    assert counted(registry) == {outcome: 1}
    assert door.requests == 1
    assert registry.get_sample_value("hilum_client_retries_total") == 0


def test_a_retry_that_helps_is_one_request_of_the_callers(
    client: ScreeningClient, door: FakeFrontDoor, registry: CollectorRegistry
) -> None:
    door.failures = [BROKEN, BROKEN]
    assert client.screen(b"image").release == 7
    assert counted(registry) == {"accepted": 1}
    assert door.requests == 3
    assert registry.get_sample_value("hilum_client_retries_total") == 2


def test_retries_that_do_not_help(
    client: ScreeningClient, door: FakeFrontDoor, registry: CollectorRegistry
) -> None:
    door.failures = [BROKEN] * 3
    with pytest.raises(ServerUnreachableError):
        client.screen(b"image")
    assert counted(registry) == {"unavailable": 1}
    assert registry.get_sample_value("hilum_client_retries_total") == 2


def test_what_is_never_sent_is_not_counted(client: ScreeningClient, registry: CollectorRegistry) -> None:
    with pytest.raises(TooLargeError):
        client.screen(bytes(MAX_BYTES + 1))
    assert counted(registry) == {}


def test_encryption_that_does_not_come_about_is_told_at_once(
    door: FakeFrontDoor, registry: CollectorRegistry, tmp_path: Path
) -> None:
    with (
        grpc_server(door, Authority(tmp_path).server()) as address,
        ScreeningClient(address, metrics=ClientMetrics(registry)) as client,
    ):
        for call in (client.check_ready, lambda: client.screen(b"image")):
            with pytest.raises(TlsError, match="set HILUM_TLS_CA"):
                call()
    assert counted(registry) == {"unavailable": 1}
    assert registry.get_sample_value("hilum_client_retries_total") == 0


def test_the_registry_of_the_program_is_left_alone(client: ScreeningClient) -> None:
    client.screen(b"image")
    assert not [family for family in REGISTRY.collect() if family.name.startswith("hilum_client")]


def test_clients_share_one(registry: CollectorRegistry) -> None:
    ClientMetrics(registry)
    with pytest.raises(ValueError, match="Duplicated"):
        ClientMetrics(registry)
