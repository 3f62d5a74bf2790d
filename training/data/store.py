"""A key-value store on disk (LMDB) that many processes may read and write at once.

It hides LMDB's conditions: one handle per process and file, none carried over a fork, a map that
every process must enlarge by itself, and pages that stay resident until they are unmapped.
"""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias, TypeVar

import lmdb

from hilum.errors import HilumError

T = TypeVar("T")
Transaction: TypeAlias = "lmdb.Transaction[memoryview]"

FIRST_MAP_BYTES = 64 * 2**20
"""Address space of a new store; it is doubled whenever it is full."""

READS_PER_MAP = 32
"""Transactions after which the map is renewed: all that was ever read would otherwise stay resident.

Each may bring in a 2 MiB folio of the page cache, so a process holds some 64 MiB of it at most;
renewing costs 30 us a read.
"""

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""LMDB reports a write that the disk took only a part of as EIO."""

_lock = threading.RLock()
_environments: dict[Path, lmdb.Environment] = {}
_reads: dict[Path, int] = {}


class CacheError(HilumError):
    """The cache of decoded radiographs cannot be read or written."""


def transact(folder: Path, work: Callable[[Transaction], T], *, write: bool = False) -> T:
    """Return `work(transaction)`, opening the store and enlarging its map as needed.

    `work` may be called again after an attempt that changed nothing, and must not keep the views that
    it is given: they are void when the transaction ends.

    Raises:
        CacheError: the store cannot be opened, is damaged, or its disk is full; it keeps its old state.
    """
    with _lock:
        try:
            environment = _environment(folder)
            while True:
                try:
                    with environment.begin(write=write, buffers=True) as transaction:
                        return work(transaction)
                except lmdb.MapFullError:
                    environment.set_mapsize(2 * environment.info()["map_size"])
                except lmdb.MapResizedError:  # another process has enlarged it
                    environment.set_mapsize(0)
        except lmdb.Error as error:
            raise CacheError(_explain(folder, error)) from error


def _environment(folder: Path) -> lmdb.Environment:
    """Return this process's handle of the store, opened at first use."""
    environment = _environments.get(folder)
    if environment is None:
        folder.mkdir(parents=True, exist_ok=True)
        environment = lmdb.open(str(folder), map_size=FIRST_MAP_BYTES, max_readers=2048)
        environment.reader_check()  # frees the places of readers that were killed
        _environments[folder] = environment
        _reads[folder] = 0
    _reads[folder] += 1
    if _reads[folder] % READS_PER_MAP == 0:
        environment.set_mapsize(0)
    return environment


def _explain(folder: Path, error: lmdb.Error) -> str:
    """Return a sentence for what LMDB reports: a full disk, a read-only folder, a damaged file."""
    if error.code in _DISK_FULL:
        return (
            f"The disk that holds the cache of decoded radiographs, {folder}, is full or failing "
            f"({os.strerror(error.code)}). What was cached before is whole. Free some space (an image takes "
            "70 kB), or set HILUM_HOME to a folder on a larger disk; then run the same command again."
        )
    if error.code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"The cache of decoded radiographs, {folder}, cannot be written: {os.strerror(error.code)}. "
            "Set HILUM_HOME to a folder of your own."
        )
    return (
        f"The cache of decoded radiographs, {folder}, cannot be used: {error}. Delete that folder: "
        "the next command builds it anew from the images."
    )


def _close_before_fork() -> None:
    """Close every handle, for neither LMDB nor its binding supports one in a forked child.

    The lock is held until after the fork, so that no other thread is inside a transaction.
    """
    _lock.acquire()
    for environment in _environments.values():
        environment.close()
    _environments.clear()


os.register_at_fork(before=_close_before_fork, after_in_parent=_lock.release, after_in_child=_lock.release)
