import http.client

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from hilum.ports import Port, PortTakenError
from tests.support.ports import free_ports
from training.promote.watch.http_server import answering

APP = Starlette(routes=[Route("/healthz", lambda _request: PlainTextResponse("live"))])


@pytest.fixture
def port() -> Port:
    return Port(
        host="127.0.0.1",
        number=free_ports(1)[0],
        purpose="The rollout watcher",
        variable="HILUM_WATCH_PORT",
    )


def fetch_status(port: Port) -> int:
    connection = http.client.HTTPConnection(port.host, port.number, timeout=30)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    finally:
        connection.close()


def test_answers_during_the_block_and_frees_its_port(port: Port) -> None:
    with answering(APP, port):
        assert fetch_status(port) == 200
    with pytest.raises(ConnectionRefusedError):
        fetch_status(port)
    assert port.is_free()


def test_a_taken_port_is_refused(port: Port) -> None:
    with answering(APP, port), pytest.raises(PortTakenError, match="HILUM_WATCH_PORT"), answering(APP, port):
        pytest.fail("two servers share a port")
    assert port.is_free()


def test_it_ends_with_an_interrupted_block(port: Port) -> None:
    with pytest.raises(KeyboardInterrupt), answering(APP, port):
        raise KeyboardInterrupt
    assert port.is_free()
