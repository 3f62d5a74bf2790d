import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from hilum.probe import answers_ok


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/well" else 503)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_only_200_is_well(url: str) -> None:
    assert answers_ok(f"{url}/well")
    assert not answers_ok(f"{url}/ill")


def test_no_proxy_is_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert answers_ok(f"{url}/well")


def test_nobody_there_is_not_well() -> None:
    assert not answers_ok("http://127.0.0.1:1/well")


def test_silence_and_babble_are_not_well() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/well"
        start = time.monotonic()
        assert not answers_ok(address, timeout_s=0.2)
        assert time.monotonic() - start < 2
        server.accept()[0].close()

        def babble() -> None:
            connection, _ = server.accept()
            connection.recv(1000)
            connection.sendall(b"babble\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=babble)
        thread.start()
        assert not answers_ok(address)
        thread.join()
