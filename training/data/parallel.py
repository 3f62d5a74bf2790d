"""Runs one function over many items on all cores, in order, with bounded memory and a progress bar."""

import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context, parent_process
from typing import TypeVar

from hilum.console import track
from hilum.errors import HilumError

Item = TypeVar("Item")
Result = TypeVar("Result")

WORTH_A_POOL = 48
"""Fewer items are done in this process: starting workers would take longer."""

ITEMS_AHEAD = 64
"""Items per worker whose results may wait at once: bounds memory."""


def map_in_processes(
    function: Callable[[Item], Result], items: Sequence[Item], description: str
) -> Generator[Result]:
    """Yield `function(item)` for each item, in order, computed by one process per core.

    Args:
        function: a picklable function at the top level of a module.
        items: picklable arguments.
        description: label of the progress bar on stderr.

    Raises:
        HilumError: a worker was killed, as by the kernel when memory is short.
        Exception: whatever `function` raises.
    """
    workers = min(_usable_cores(), len(items))
    if workers == 1 or len(items) < WORTH_A_POOL:
        yield from track(map(function, items), description, total=len(items))
        return
    # Spawned, because the caller may hold threads and database handles that do not survive a fork.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_follow_parent)
    try:
        results = _map_in_slices(pool, function, items, workers * ITEMS_AHEAD)
        yield from track(results, description, total=len(items))
    except BrokenProcessPool as error:
        raise HilumError(
            f"A worker process died while {description.lower()}; the usual cause is too little memory. "
            "Finished work is kept: run the same command again, with fewer other programs running."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _map_in_slices(
    pool: ProcessPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item], length: int
) -> Iterator[Result]:
    """Submit a slice at a time: `Executor.map` alone would queue every item, and keep every result."""
    remaining = iter(items)
    while part := list(islice(remaining, length)):
        yield from pool.map(function, part, chunksize=8)


def _usable_cores() -> int:
    """Return the number of cores that this process may run on."""
    return len(os.sched_getaffinity(0))


def _follow_parent() -> None:
    """Let Ctrl-C reach the parent alone, which ends its workers in order, and end where it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the parent's end: a killed one cannot tell its workers, which would stay for ever."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
