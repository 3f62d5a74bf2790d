"""Serves a release from a Triton of its own on this machine: `mlflow deployments run-local`."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hilum.console import stdout
from hilum.contract import SCREENING
from hilum.errors import UsageError
from hilum.interrupt import until_stopped
from hilum.settings import settings
from hilum.triton.process import running
from hilum.triton.server import TritonServer
from training.promote.deployment.deploying import resolve_uri
from training.promote.deployment.words import FLAVOR, as_mlflow_errors, role_of, tracking_uri
from training.promote.staging import fetch_networks, stage
from training.promote.wanted import fetch_wanted
from training.registry import Registry


def run_local(
    name: str, model_uri: str, flavor: str | None = None, config: Mapping[str, Any] | None = None
) -> None:
    """Serve a release from a Triton of its own on this machine until Ctrl-C, to try it out: no gate is asked.

    It listens on this installation's ports (HILUM_GRPC_PORT and so on), and changes nothing that is there.

    Raises:
        MlflowException: there is no such release, or a port is taken.
    """
    with as_mlflow_errors(), until_stopped(), TemporaryDirectory(prefix="hilum-local-") as folder:
        if role_of(name) != "champion" or flavor not in (None, FLAVOR) or config:
            raise UsageError(f"run-local serves {SCREENING} alone, and takes neither --flavor nor -C.")
        here = settings()
        registry = Registry(tracking_uri())
        number = resolve_uri(registry, model_uri)
        wanted = fetch_wanted(registry, {"champion": number, "challenger": None})
        networks = fetch_networks(registry, here.live_repository, wanted, Path(folder))
        repository = stage(Path(folder), wanted, networks, instances=here.instances)
        server = TritonServer.from_settings(here, repository)
        with running(server, here.home / "logs" / "run-local.log") as process:
            stdout.print(f"Release {number} answers at {server.addresses.grpc}. Ctrl-C stops it.")
            process.watch()
