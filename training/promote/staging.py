"""Brings what is to serve beside the live repository, on the same disk, and checks it there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

from hilum.files import sha256_file
from training.errors import UnknownVersionError
from training.export.passport import passport_path
from training.promote.pinned import download_pinned
from training.promote.wanted import Wanted
from training.registry import PASSPORT_TAG, Registry
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

    One whose passport is missing or not the registered one is downloaded with it.

    Raises:
        IntegrityError: a network in the registry is not the one that its release pins.
    """
    networks = {}
    for (model, version), sha256 in wanted.networks.items():
        live = repository / model / str(version) / MODEL_FILES[model]
        is_there = live.is_file() and sha256_file(live) == sha256
        if is_there and _has_its_passport(registry, model, version, live):
            networks[model, version] = live
        else:
            networks[model, version] = download_pinned(registry, model, version, sha256, folder)
    return networks


def stage(folder: Path, wanted: Wanted, networks: Networks, *, instances: int) -> Path:
    """Write the model repository of the wanted releases into `folder`, check it, and return its path.

    Raises:
        RepositoryError: Triton could not serve these releases.
    """
    draft = folder / "model_repository"
    write_lineup(draft, wanted.lineup, networks=networks, references=wanted.references, instances=instances)
    check_repository(draft)
    return draft


def _has_its_passport(registry: Registry, model: str, number: int, path: Path) -> bool:
    """Whether the passport beside a network is the one that was registered, or none where none was."""
    try:
        expected = registry.version(model, number).tags.get(PASSPORT_TAG)
    except UnknownVersionError:  # deleted since: there is nothing to download instead
        return True
    passport = passport_path(path)
    return (sha256_file(passport) if passport.is_file() else None) == expected
