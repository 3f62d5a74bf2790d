"""An MLflow server as the stack runs it, for tests and benchmarks."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hilum.probe import answers_ok
from hilum.settings import Settings
from hilum.stack.services import mlflow_command, mlflow_environment
from tests.support.ports import free_ports
from tests.support.servers import is_group_alive

READY_TIMEOUT_S = 180.0
"""Longest wait for its start, in seconds."""


@contextmanager
def running_mlflow(home: Path) -> Iterator[str]:
    """Run a server that keeps everything in `home` during the block; yield its address."""
    home.mkdir(parents=True, exist_ok=True)
    settings = Settings(home=home, mlflow_port=free_ports(1)[0])
    url = f"http://{settings.host}:{settings.mlflow_port}"
    log = home / "mlflow.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            mlflow_command(settings),
            env=mlflow_environment(settings),
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not answers_ok(f"{url}/health"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(60)
        assert not is_group_alive(process.pid)
