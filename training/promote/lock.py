"""Keeps two rollouts from writing one model repository at the same time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from training.errors import RolloutError

WAIT_S = 60.0
"""Longest wait for another rollout to end, in seconds: a usual one takes less than ten."""


@contextmanager
def repository_lock(repository: Path, *, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the right to write `repository`; the system gives it back when the process ends, however it ends.

    Raises:
        RolloutError: another process holds it for longer than `wait_s`.
    """
    path = repository.with_name(f".{repository.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=wait_s)
    try:
        lock.acquire()
    except Timeout as error:
        raise RolloutError(
            f"Another rollout has been writing {repository} for {wait_s:g} s. "
            "Wait for it to end, then run this again."
        ) from error
    try:
        yield
    finally:
        lock.release()
