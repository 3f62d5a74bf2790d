"""Keeps two rollouts from writing one model repository at the same time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.errors import RolloutError


@contextmanager
def repository_lock(repository: Path) -> Iterator[None]:
    """Hold the right to write `repository`; the system gives it back when the process ends, however it ends.

    Raises:
        RolloutError: another process holds it.
    """
    path = repository.with_name(f".{repository.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RolloutError(
                f"Another rollout is writing {repository}. Wait for it to end, then run this again."
            ) from error
        yield
