"""A real Triton that serves one release for as long as it is judged, beside whatever runs here."""

import secrets
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hilum.contract import CLASSIFIER, FILTER
from hilum.ports import PortTakenError
from hilum.triton.addresses import TritonAddresses
from hilum.triton.process import TritonProcess, running
from hilum.triton.server import TritonServer
from training.promote.gate.front_door import FrontDoor
from training.promote.pinned import download_pinned
from training.promote.release import StoredRelease
from training.registry import Registry
from training.repository.layout import write_repository
from training.repository.lint import check_repository

HOST = "127.0.0.1"
"""Temporary servers answer this machine only."""

ATTEMPTS = 3
"""How often other ports are taken where another program was quicker."""


@contextmanager
def downloaded_networks(registry: Registry, stored: StoredRelease) -> Iterator[dict[str, Path]]:
    """Yield the ONNX files of a release by model, checked against its pins, gone afterwards.

    Raises:
        IntegrityError: the registry holds another network than the release pins.
    """
    pins = {FILTER: stored.release.filter, CLASSIFIER: stored.release.classifier}
    with TemporaryDirectory(prefix="hilum-gate-") as folder:
        yield {
            model: download_pinned(registry, model, pinned.version, pinned.sha256, Path(folder))
            for model, pinned in pins.items()
        }


@contextmanager
def serving(
    stored: StoredRelease, networks: dict[str, Path], *, instances: int, log: Path
) -> Iterator[FrontDoor]:
    """Serve a release by a Triton of its own, on free ports, until the block ends.

    Args:
        stored: the release.
        networks: its ONNX files by model.
        instances: copies of each network that run side by side.
        log: what the server says is appended here.

    Raises:
        RepositoryError: the release makes no repository that Triton would load.
        ServerFailedError: Triton refuses it, or ends.
    """
    with TemporaryDirectory(prefix="hilum-gate-") as name, ExitStack() as stack:
        repository = Path(name) / "model_repository"
        write_repository(
            repository,
            stored.release.served(stored.number),
            filter_onnx=networks[FILTER],
            classifier_onnx=networks[CLASSIFIER],
            instances=instances,
        )
        check_repository(repository)
        process = _started(stack, repository, Path(name), log)
        yield stack.enter_context(FrontDoor(process.server.addresses.grpc))


def _started(stack: ExitStack, repository: Path, home: Path, log: Path) -> TritonProcess:
    """Start the server on ports that are free, and let the stack end it."""
    for attempt in range(ATTEMPTS):
        http, grpc, metrics = _free_ports(3)
        addresses = TritonAddresses(host=HOST, http_port=http, grpc_port=grpc, metrics_port=metrics)
        key = secrets.token_urlsafe(32)
        server = TritonServer(repository=repository, home=home, admin_key=key, addresses=addresses)
        try:
            return stack.enter_context(running(server, log))
        except PortTakenError:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def _free_ports(count: int) -> list[int]:
    """Return different TCP ports of this machine that nothing listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
