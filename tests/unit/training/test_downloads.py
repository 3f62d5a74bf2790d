"""Artifacts come whole: a transfer that breaks off is made again, and what is not there is said to be so."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hilum.errors import HilumError
from training.artifacts import downloaded_from

CONTENT = b"a release"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


@contextmanager
def artifact_server(*, broken_transfers: int) -> Iterator[str]:
    """Yield the URI of a run's artifacts that hold `release/release.json`; its first transfers break off."""
    left = [broken_transfers]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path.endswith("/release.json"):
                broken = left[0] > 0
                left[0] -= broken
                self.answer(CONTENT[:4] if broken else CONTENT, len(CONTENT))
            elif path.endswith("/artifacts") and query.endswith("release"):
                listing = {"files": [{"path": "release.json", "is_dir": False, "file_size": len(CONTENT)}]}
                self.answer(json.dumps(listing).encode())
            elif path.endswith("/artifacts"):
                self.answer(b'{"files": []}')
            else:
                self.send_error(404, "There is no such artifact")

        def answer(self, body: bytes, length: int | None = None) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(length or len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{ARTIFACTS}/run"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("broken_transfers", [0, 1, 2])
def test_a_transfer_that_breaks_off_is_made_again(broken_transfers: int) -> None:
    with (
        artifact_server(broken_transfers=broken_transfers) as artifacts,
        downloaded_from(f"{artifacts}/release") as folder,
    ):
        assert (folder / "release.json").read_bytes() == CONTENT
    assert not folder.exists()


def test_it_gives_up_with_the_cause() -> None:
    with (
        artifact_server(broken_transfers=100) as artifacts,
        pytest.raises(HilumError, match=r"release\.json(.|\n)*Connection broken"),
        downloaded_from(f"{artifacts}/release"),
    ):
        pass


def test_what_is_not_there_is_named() -> None:
    with (
        artifact_server(broken_transfers=0) as artifacts,
        pytest.raises(HilumError, match=r"other(.|\n)*404"),
        downloaded_from(f"{artifacts}/other"),
    ):
        pass
