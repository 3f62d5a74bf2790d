"""The client for asyncio answers, fails and counts as the synchronous one does."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import grpc
import pytest
from prometheus_client import CollectorRegistry

from clients.aio import AsyncScreeningClient
from clients.client import ScreeningClient
from clients.errors import ModelNotReadyError, RadiographRefusedError, ServerUnreachableError, TlsError
from clients.metrics import ClientMetrics
from hilum.errors import UsageError
from tests.support.certificates import Authority
from tests.support.fake_front_door import BROKEN, IN_ENSEMBLE, FakeFrontDoor
from tests.support.grpc_server import grpc_server

T = TypeVar("T")

ACCEPTED = {"outcome": "accepted"}
COUNT = "hilum_client_request_duration_seconds_count"


@pytest.fixture
def door() -> FakeFrontDoor:
    return FakeFrontDoor()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def run(
    door: FakeFrontDoor, registry: CollectorRegistry, work: Callable[[AsyncScreeningClient], Awaitable[T]]
) -> T:
    """Let a client of the door do some work."""

    async def connected() -> T:
        async with AsyncScreeningClient(address, timeout_s=20, metrics=ClientMetrics(registry)) as client:
            return await work(client)

    with grpc_server(door) as address:
        return asyncio.run(connected())


def test_answers_are_those_of_the_synchronous_client(
    door: FakeFrontDoor, registry: CollectorRegistry
) -> None:
    for door.accepts in (True, False):
        with grpc_server(door) as address, ScreeningClient(address) as client:
            expected = client.screen(b"image").as_json("a")
        answer = run(door, CollectorRegistry(), lambda client: client.screen(b"image"))
        assert answer.as_json("a") == expected


def test_many_requests_are_under_way_at_once(door: FakeFrontDoor, registry: CollectorRegistry) -> None:
    async def work(client: AsyncScreeningClient) -> list[str | None]:
        return [each.finding for each in await asyncio.gather(*(client.screen(b"image") for _ in range(50)))]

    assert run(door, registry, work) == ["lung_opacity"] * 50
    assert registry.get_sample_value(COUNT, ACCEPTED) == 50


def test_a_retry_that_helps_is_one_request(door: FakeFrontDoor, registry: CollectorRegistry) -> None:
    door.failures = [BROKEN, BROKEN]
    assert run(door, registry, lambda client: client.screen(b"image")).release == 7
    assert registry.get_sample_value(COUNT, ACCEPTED) == 1
    assert registry.get_sample_value("hilum_client_retries_total") == 2


def test_failures_have_the_same_names(door: FakeFrontDoor, registry: CollectorRegistry) -> None:
    door.failures = [(grpc.StatusCode.INVALID_ARGUMENT, f"{IN_ENSEMBLE}It is a PDF.")]
    with pytest.raises(RadiographRefusedError, match="PDF"):
        run(door, registry, lambda client: client.screen(b"image"))
    assert registry.get_sample_value(COUNT, {"outcome": "undecodable"}) == 1
    door.failures = [BROKEN] * 3
    with pytest.raises(ServerUnreachableError):
        run(door, CollectorRegistry(), lambda client: client.screen(b"image"))


def test_a_server_without_the_model_is_not_ready(door: FakeFrontDoor, registry: CollectorRegistry) -> None:
    run(door, registry, lambda client: client.check_ready())
    door.is_ready = False
    with pytest.raises(ModelNotReadyError):
        run(door, CollectorRegistry(), lambda client: client.check_ready())


def test_encryption_is_explained(door: FakeFrontDoor, tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    async def screen(*, encrypts: bool) -> int:
        tls = authority.client() if encrypts else None
        async with AsyncScreeningClient(address, tls=tls) as client:
            return (await client.screen(b"image")).release

    with grpc_server(door, authority.server()) as address:
        assert asyncio.run(screen(encrypts=True)) == 7
        with pytest.raises(TlsError, match="set HILUM_TLS_CA"):
            asyncio.run(screen(encrypts=False))


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="host:port"):
        AsyncScreeningClient("http://127.0.0.1:8000")
