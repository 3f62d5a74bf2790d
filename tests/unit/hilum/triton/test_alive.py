"""What the probes of Triton's container see."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from hilum.triton.alive import find_fault


class Server(BaseHTTPRequestHandler):
    """Alive, and not ready."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/v2/health/live" else 400)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_server_that_answers_well_is_well(url: str) -> None:
    assert find_fault(pid=os.getpid(), url=url) == ""


def test_readiness_is_asked_where_readiness_is_meant(url: str) -> None:
    assert find_fault("ready", pid=os.getpid(), url=url) == (
        f"Triton does not answer at {url}/v2/health/ready, or not that it is well."
    )


def test_a_python_model_that_died_is_seen_though_the_server_calls_itself_alive(url: str) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as model:
        os.waitid(os.P_PID, model.pid, os.WEXITED | os.WNOWAIT)  # it has died, and stays uncollected
        assert find_fault(pid=os.getpid(), url=url) == (
            "Python models have lost 1 of their processes, which Triton does not replace."
        )
    assert find_fault(pid=os.getpid(), url=url) == ""


def test_its_exit_status_is_what_the_kubelet_reads() -> None:
    """Nothing listens on port 8000 under this name, or what does is no Triton."""
    result = subprocess.run(
        [sys.executable, "-m", "hilum.triton.alive", "no-such-health"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr.startswith(
        "Triton does not answer at http://127.0.0.1:8000/v2/health/no-such-health"
    )
