"""Real servers for the tests of this folder, started once per test run, on free ports."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hilum.probe import answers_ok
from hilum.settings import Settings
from hilum.stack.services import mlflow_command, mlflow_environment
from hilum.triton.addresses import TritonAddresses
from hilum.triton.process import running
from hilum.triton.server import TritonServer
from tests.support.ports import free_ports
from tests.support.servers import ADMIN_KEY, RunningToys, is_group_alive
from tests.support.toy_release import toy_release, write_toy_repository


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("integration")


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The tracking URI of an MLflow server as the stack runs it."""
    home = tmp_path_factory.mktemp("mlflow")
    settings = Settings(home=home, mlflow_port=free_ports(1)[0])
    url = f"http://{settings.host}:{settings.mlflow_port}"
    log = home / "mlflow.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            mlflow_command(settings),
            env=mlflow_environment(),
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 180
        while not answers_ok(f"{url}/health"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(60)
        assert not is_group_alive(process.pid)


@pytest.fixture(scope="session")
def toy_repository(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Writes a fresh model repository with release 1 of the toy networks."""

    def write() -> Path:
        folder = tmp_path_factory.mktemp("toys")
        return write_toy_repository(folder / "model_repository", toy_release(), folder / "scratch")

    return write


@pytest.fixture(scope="session")
def make_server(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], TritonServer]:
    """Makes a Triton for a repository, with a home and ports of its own."""

    def make(repository: Path) -> TritonServer:
        http, grpc, metrics = free_ports(3)
        return TritonServer(
            repository=repository,
            home=tmp_path_factory.mktemp("home"),
            admin_key=ADMIN_KEY,
            addresses=TritonAddresses(host="127.0.0.1", http_port=http, grpc_port=grpc, metrics_port=metrics),
        )

    return make


@pytest.fixture(scope="session")
def toy_server(
    toy_repository: Callable[[], Path], make_server: Callable[[Path], TritonServer]
) -> Iterator[RunningToys]:
    """A Triton that many tests ask and none changes."""
    server = make_server(toy_repository())
    start = time.monotonic()
    with running(server, server.home / "triton.log") as process:
        yield RunningToys(server, process.pid, time.monotonic() - start)
