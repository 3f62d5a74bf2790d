"""All that the dashboard reads, real and full: Triton, the watcher, MLflow, the ledger, Prometheus."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from clients.client import ScreeningClient
from hilum.console import stderr
from hilum.settings import Settings
from hilum.triton.addresses import TritonAddresses
from hilum.triton.process import running
from hilum.triton.server import TritonServer
from tests.bench.bench_images import find_bench_images
from tests.bench.dashboard_history import prometheus_with_history
from tests.bench.dashboard_releases import WHO, fill_registry
from tests.support.mlflow_process import running_mlflow
from tests.support.ports import free_ports
from tests.support.servers import ADMIN_KEY
from tests.support.watchers import watching
from training.ledger.ledger import Ledger
from training.promote.rollout import Site, apply
from training.promote.triton_control import TritonControl
from training.registry import Registry


@dataclass(frozen=True, kw_only=True, slots=True)
class FullStack:
    """Running servers, and what a dashboard has to be told of them."""

    environment: Mapping[str, str]
    triton: str
    """`host:port` of its gRPC service."""
    image: bytes
    """A radiograph that the served filter accepts."""
    other: int
    """The release that was evaluated beside the champion."""


@contextmanager
def full_stack(repository: Path, images: Path | None, folder: Path) -> Iterator[FullStack]:
    """Serve the networks of `repository` as a release among fifty, watched for thirty days, during the block.

    Raises:
        UsageError: the repository holds no networks, or Prometheus is not installed.
    """
    http, grpc, metrics, prometheus = free_ports(4)
    home = folder / "home"
    live = home / "model_repository"
    live.mkdir(parents=True)
    addresses = TritonAddresses(host="127.0.0.1", http_port=http, grpc_port=grpc, metrics_port=metrics)
    server = TritonServer(repository=live, home=home, admin_key=ADMIN_KEY, addresses=addresses)
    ledger_url = f"sqlite:///{home / 'ledger.db'}"
    with ExitStack() as stack:
        url = stack.enter_context(running_mlflow(folder / "mlflow"))
        with Ledger(ledger_url) as ledger:
            champion, other = fill_registry(Registry(url), ledger, repository, folder)
            stderr.print("Starting Triton, the watcher and Prometheus.")
            stack.enter_context(running(server, home / "triton.log"))
            with TritonControl(addresses.grpc, ADMIN_KEY) as triton:
                site = Site(
                    registry=Registry(url),
                    ledger=ledger,
                    repository=live,
                    triton=triton,
                    instances=1,
                    who=WHO,
                )
                apply(site, {"champion": champion, "challenger": None})
        environment = {
            "HILUM_HOME": str(home),
            "HILUM_TRITON_URL": addresses.grpc,
            "HILUM_MLFLOW_URI": url,
            "HILUM_LEDGER_URL": ledger_url,
            "HILUM_ADMIN_KEY": ADMIN_KEY,
            "HILUM_PROMETHEUS_URL": f"http://127.0.0.1:{prometheus}",
        }
        watcher = stack.enter_context(watching(environment, home))
        settings = Settings(
            home=home,
            http_port=http,
            grpc_port=grpc,
            metrics_port=metrics,
            watch_port=watcher.port,
            prometheus_port=prometheus,
            admin_key=SecretStr(ADMIN_KEY),
        )
        image = find_bench_images(addresses.grpc, images).accepted[0]
        with ScreeningClient(addresses.grpc) as client:
            stack.enter_context(prometheus_with_history(settings, partial(client.screen, image)))
        yield FullStack(environment=environment, triton=addresses.grpc, image=image, other=other)
