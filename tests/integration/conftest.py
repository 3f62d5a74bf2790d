"""Real servers for the tests of this folder, started once per test run, on free ports."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hilum.triton.addresses import TritonAddresses
from hilum.triton.process import running
from hilum.triton.server import TritonServer
from tests.support.mlflow_process import running_mlflow
from tests.support.ports import free_ports
from tests.support.rollout_site import RolloutSite, ToyReleases
from tests.support.servers import ADMIN_KEY, RunningToys
from tests.support.signed_answers import FIRST
from tests.support.toy_release import toy_release, write_toy_repository
from training.promote.rollout import RolloutResult
from training.registry import Registry


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("integration")


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The tracking URI of an MLflow server as the stack runs it."""
    with running_mlflow(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


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


@pytest.fixture(scope="session")
def toy_releases(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> ToyReleases:
    """Releases that sign their answers, made once where a test first asks for one."""
    return ToyReleases(Registry(mlflow_server), tmp_path_factory.mktemp("releases"))


@pytest.fixture
def rollout_site(
    toy_releases: ToyReleases, make_server: Callable[[Path], TritonServer], tmp_path: Path
) -> RolloutSite:
    """An empty live repository and a Triton for it that does not run."""
    return RolloutSite.make(toy_releases, tmp_path, make_server)


@pytest.fixture(scope="session")
def running_site(
    toy_releases: ToyReleases,
    make_server: Callable[[Path], TritonServer],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RolloutSite]:
    """A site whose Triton runs all the time: a start and a stop take longer than most rollouts."""
    site = RolloutSite.make(toy_releases, tmp_path_factory.mktemp("site"), make_server)
    number = toy_releases.number(FIRST)
    with site.triton():
        assert site.loaded() == {}
        assert [change.action for change in site.plan(number).networks] == ["load", "load"]
        assert site.apply(number) == RolloutResult(release=number, previous=None, outcome="loaded")
        site.assert_serves_only(number)
        yield site


@pytest.fixture
def serving_site(running_site: RolloutSite) -> RolloutSite:
    """The running site, serving the first release alone; a test may leave it with others."""
    running_site.apply(running_site.releases.number(FIRST))
    return running_site
