"""Brings the champion from the registry into the live model repository and into Triton.

What is fetched is checked before the live repository is touched: digests against the release,
configurations against the networks. What is loaded is checked before the old release goes: the
golden cases through the front door.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Literal

from hilum.contract import CLASSIFIER, FILTER, SCREENING
from hilum.errors import HilumError
from training.errors import IntegrityError, RolloutError, UnknownVersionError
from training.promote.lock import repository_lock
from training.promote.release import PinnedNetwork, StoredRelease, fetch_release
from training.promote.swap import Swap, find_serving
from training.promote.triton_control import TritonControl
from training.registry import CHAMPION, SHA256_TAG, Registry
from training.repository.layout import write_repository
from training.repository.lint import check_repository

Outcome = Literal["loaded", "verified", "written"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutResult:
    """What a rollout did."""

    release: int
    """The champion."""
    previous: int | None
    """The release that answered before; None where none did."""
    outcome: Outcome
    """`loaded`: answers now; `verified`: answered already; `written`: answers from Triton's next start."""


def roll_out(registry: Registry, repository: Path, triton: TritonControl, *, instances: int) -> RolloutResult:
    """Let Triton serve the champion; where Triton does not run, let it do so from its next start.

    Args:
        registry: holds the champion.
        repository: the live model repository, which Triton reads.
        triton: the server; it may be down.
        instances: copies of each network that run side by side.

    Raises:
        UnknownVersionError: no release is champion.
        IntegrityError: something fetched is not what was pinned; nothing was touched.
        RepositoryError: Triton could not serve this release; nothing was touched.
        RolloutError: a step failed and the old release answers; or another rollout is running.
    """
    number = registry.aliases(SCREENING).get(CHAMPION)
    if number is None:
        raise UnknownVersionError("No release is champion. Make one so with `hilum promote NUMBER`.")
    stored = fetch_release(registry, number)
    new = stored.release.served(number)
    with repository_lock(repository), _staging_folder(repository) as folder:
        draft = folder / "model_repository"
        write_repository(
            draft,
            new,
            filter_onnx=_fetch_network(registry, FILTER, stored.release.filter, folder),
            classifier_onnx=_fetch_network(registry, CLASSIFIER, stored.release.classifier, folder),
            instances=instances,
        )
        check_repository(draft)
        running = triton if triton.is_live() else None
        old = find_serving(repository, running)
        swap = Swap(source=draft, folder=repository, triton=running, old=old, new=new, instances=instances)
        with _undone_on_failure(swap):
            swap.prepare()
            swap.switch()
            if running:
                verify(running, stored)
        _drop_old(swap)
    outcome: Outcome = "written" if running is None else "loaded" if swap.changed else "verified"
    return RolloutResult(release=number, previous=old.number if old else None, outcome=outcome)


def verify(triton: TritonControl, stored: StoredRelease) -> None:
    """Ask the front door the golden cases of a release.

    Raises:
        RolloutError: another release answers, or an answer is not the promised one.
    """
    for case in stored.release.golden_cases:
        answer = triton.screen(stored.golden_files[case.file])
        if answer.release != stored.number:
            raise RolloutError(f"Release {answer.release} answers instead of release {stored.number}.")
        problem = case.disagreement(
            answer.valid_probability,
            answer.probabilities,
            accepted=answer.accepted,
            operating_point=stored.release.operating_point,
        )
        if problem:
            raise RolloutError(f"Release {stored.number} does not answer as promised. {problem}")


@contextmanager
def _staging_folder(repository: Path) -> Iterator[Path]:
    """Yield a new folder beside the live repository, on the same disk; remove those of killed rollouts."""
    prefix = f".{repository.name}.staging-"
    for leftover in repository.parent.glob(f"{prefix}*"):
        rmtree(leftover)
    with TemporaryDirectory(dir=repository.parent, prefix=prefix) as folder:
        yield Path(folder)


def _fetch_network(registry: Registry, model: str, pinned: PinnedNetwork, folder: Path) -> Path:
    """Download a network of a release, checked against its pin."""
    version = registry.version(model, pinned.version)
    if version.tag(SHA256_TAG) != pinned.sha256:
        raise IntegrityError(
            f"{model} version {pinned.version} in the registry is not the network that the release pins "
            f"({version.tag(SHA256_TAG)[:12]} instead of {pinned.sha256[:12]}). Nothing was touched; "
            "create and promote a release of the networks that are there."
        )
    return registry.download_onnx(version, folder)


@contextmanager
def _undone_on_failure(swap: Swap) -> Iterator[None]:
    """Let the old release answer again whatever ends the block early, an interrupt included."""
    try:
        yield
    except BaseException as error:
        answers = f"Release {swap.old.number} answers as before." if swap.old else "Nothing is served."
        try:
            swap.undo()
        except (HilumError, OSError) as second:
            answers = f"The way back failed too: {second} Run `hilum rollout` again once the cause is mended."
        if isinstance(error, HilumError | OSError):
            raise RolloutError(f"Release {swap.new.number} was not rolled out: {error} {answers}") from error
        raise


def _drop_old(swap: Swap) -> None:
    try:
        swap.drop_old()
    except (HilumError, OSError) as error:
        raise RolloutError(
            f"Release {swap.new.number} answers, but what it replaced could not be removed: {error} "
            "Run `hilum rollout` again once the cause is mended."
        ) from error
