"""Requests go to one address of a host, or to all of them where that is asked for."""

from collections.abc import Sequence

import pytest
from tritonclient.grpc import InferenceServerClient
from typing_extensions import override

from hilum.triton import channel
from hilum.triton.channel import EVERY_ADDRESS, connect
from tests.support.certificates import HOST
from tests.support.grpc_server import Servicer, grpc_server


class Counting(Servicer):
    """Counts the requests that reach it."""

    def __init__(self) -> None:
        self.requests = 0

    @override
    def ServerLive(self, _request: object, _context: object) -> object:
        self.requests += 1
        return super().ServerLive(_request, _context)


def ask(client: InferenceServerClient, times: int) -> None:
    for _ in range(times):
        assert client.is_server_live(client_timeout=10)


def test_one_address_is_asked_as_it_is() -> None:
    with grpc_server(Servicer()) as address, connect(address, None) as client:
        ask(client, 1)


def test_all_addresses_of_a_host_are_asked_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a list of addresses, since no name here has two."""
    servers: Sequence[Counting] = (Counting(), Counting())
    with grpc_server(servers[0]) as first, grpc_server(servers[1]) as second:
        monkeypatch.setattr(channel, "EVERY_ADDRESS", "ipv4:")
        with connect(f"ipv4:{first},{second}", None) as client:
            for _ in range(10_000):  # one of the connections may take its time
                ask(client, 1)
                if all(server.requests > 5 for server in servers):
                    break
    assert all(server.requests > 5 for server in servers)


def test_a_name_is_looked_up() -> None:
    with grpc_server(Servicer()) as address:
        port = address.removeprefix(f"{HOST}:")
        with connect(f"{EVERY_ADDRESS}localhost:{port}", None) as client:
            ask(client, 3)
