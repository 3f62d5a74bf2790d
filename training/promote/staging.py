"""Brings what is to serve beside the live repository, on the same disk, and checks it there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

from hilum.files import sha256_file
from training.errors import IntegrityError
from training.promote.wanted import Wanted
from training.registry import SHA256_TAG, Registry
from training.repository.layout import MODEL_FILES, write_lineup
from training.repository.lint import check_repository

Networks = dict[tuple[str, int], Path]
"""The ONNX file of each network, by model and version."""


@contextmanager
def staging_folder(repository: Path) -> Iterator[Path]:
    """Yield a new folder beside the live repository, on the same disk; remove those of killed rollouts."""
    prefix = f".{repository.name}.staging-"
    for leftover in repository.parent.glob(f"{prefix}*"):
        rmtree(leftover)
    with TemporaryDirectory(dir=repository.parent, prefix=prefix) as folder:
        yield Path(folder)


def fetch_networks(registry: Registry, repository: Path, wanted: Wanted, folder: Path) -> Networks:
    """Return the networks of the releases: those that the live repository has, the others downloaded.

    Raises:
        IntegrityError: a network in the registry is not the one that its release pins.
    """
    networks = {}
    for (model, version), sha256 in wanted.networks.items():
        live = repository / model / str(version) / MODEL_FILES[model]
        if live.is_file() and sha256_file(live) == sha256:
            networks[model, version] = live
        else:
            networks[model, version] = _download(registry, model, version, sha256, folder)
    return networks


def stage(folder: Path, wanted: Wanted, networks: Networks, *, instances: int) -> Path:
    """Write the model repository of the wanted releases into `folder`, check it, and return its path.

    Raises:
        RepositoryError: Triton could not serve these releases.
    """
    draft = folder / "model_repository"
    write_lineup(draft, wanted.lineup, networks=networks, instances=instances)
    check_repository(draft)
    return draft


def _download(registry: Registry, model: str, number: int, sha256: str, folder: Path) -> Path:
    """Download a network of a release, checked against its pin."""
    version = registry.version(model, number)
    if version.tag(SHA256_TAG) != sha256:
        raise IntegrityError(
            f"{model} version {number} in the registry is not the network that the release pins "
            f"({version.tag(SHA256_TAG)[:12]} instead of {sha256[:12]}). Nothing was touched; "
            "create and promote a release of the networks that are there."
        )
    return registry.download_onnx(version, folder)
