import socket

import pytest

from hilum.ports import Port, PortTakenError
from tests.support.ports import free_ports


def port(number: int, host: str = "127.0.0.1") -> Port:
    return Port(host=host, number=number, purpose="The test", variable="HILUM_TEST_PORT")


def test_a_free_port() -> None:
    free = port(free_ports(1)[0])
    assert free.is_free()
    free.check_free()


@pytest.mark.parametrize("listens_on", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_refused_with_what_to_do(listens_on: str) -> None:
    with socket.socket() as other:
        other.bind((listens_on, 0))
        other.listen()
        taken = port(other.getsockname()[1])
        with pytest.raises(PortTakenError) as caught:
            taken.check_free()
    assert str(caught.value) == (
        f"The test needs port {taken.number} on 127.0.0.1, but another program listens there. "
        f"See which one with: ss -ltnp 'sport = :{taken.number}'. "
        "Stop it, or set HILUM_TEST_PORT to a free port."
    )
    assert caught.value.exit_code == 1


def test_a_port_that_is_shared_is_taken() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert not port(other.getsockname()[1]).is_free()


def test_a_connection_that_is_closing_does_not_count() -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        server.bind(("127.0.0.1", 0))
        server.listen()
        number = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", number)):
            accepted, _ = server.accept()
            accepted.close()  # the server's side closes first and lingers in TIME_WAIT
    assert port(number).is_free()


def test_a_host_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(OSError, match="assign"):
        port(free_ports(1)[0], host="192.0.2.1").is_free()
