"""Decodes every radiograph once, into a store keyed by content.

Epochs then cost no decoding, copies and renamed files cost nothing, and memory does not grow with
the number of images. Delete the folder to reclaim its space: it is built anew from the images.
"""

import os
import struct
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.contract import RADIOGRAPH
from hilum.files import sha256_bytes
from hilum.radiograph import DECODER_DIGEST, RadiographError, decode_radiograph
from training.data.parallel import map_in_processes
from training.data.store import CacheError, Transaction, transact
from training.errors import DataSetError

COMMIT_EVERY = 256
"""Radiographs per commit: what a kill can lose at most, some 17 MB."""

_FILE_RECORD = struct.Struct("<qq32s")
"""Size, modification time in nanoseconds, SHA-256 of a file that was read before."""

_SHOWN_FAILURES = 5


@dataclass(frozen=True)
class _Decoded:
    """What a worker read from one file."""

    path: Path
    size: int
    mtime_ns: int
    digest: str
    pixels: bytes | None
    """The radiograph's bytes; None where the cache holds this content already."""


@dataclass(frozen=True)
class _Failure:
    """Why one file gave no radiograph."""

    path: Path
    reason: str


@dataclass(frozen=True)
class RadiographCache:
    """Canonical radiographs on disk, by the SHA-256 of the file that they were decoded from.

    It can be pickled and used after a fork or in a spawned process, by many processes at once.
    """

    folder: Path
    """The folder of the store."""

    @classmethod
    def open(cls, folder: Path) -> "RadiographCache":
        """Open the cache in `folder`, made at first use.

        Raises:
            CacheError: the folder cannot be written, or holds something else.
        """
        cache = cls(folder.absolute() / "radiographs")
        transact(cache.folder, lambda _: None, write=True)
        return cache

    def ensure(self, paths: Sequence[Path]) -> tuple[str, ...]:
        """Decode those images that the cache lacks and return the content digest of each, in order.

        A file whose size and modification time are known is not read again. Work is committed as it
        goes: after a kill the same call goes on where it stopped.

        Raises:
            DataSetError: files cannot be read as radiographs; the others are cached.
            CacheError: the disk is full.
        """
        digests = self._look_up(paths)
        wanted = [index for index, digest in enumerate(digests) if digest is None]
        failures: list[_Failure] = []
        ready: list[_Decoded] = []
        files = [paths[index] for index in wanted]
        try:
            with closing(map_in_processes(partial(_decode, self), files, "Decoding radiographs")) as outcomes:
                for index, outcome in zip(wanted, outcomes, strict=True):
                    if isinstance(outcome, _Failure):
                        failures.append(outcome)
                        continue
                    digests[index] = outcome.digest
                    ready.append(outcome)
                    if len(ready) == COMMIT_EVERY:
                        self._commit(ready)
                        ready = []
        finally:
            self._commit(ready)
        if failures:
            raise _unreadable(failures, len(paths))
        return tuple(digest for digest in digests if digest is not None)

    def get(self, digest: str) -> NDArray[np.uint8]:
        """Return the (1, 256, 256) uint8 radiograph of a file's content digest, as a copy.

        Raises:
            CacheError: the cache holds no such radiograph.
        """

        def read(transaction: Transaction) -> NDArray[np.uint8] | None:
            value = transaction.get(_radiograph_key(digest))
            return None if value is None else np.frombuffer(value, np.uint8).reshape(RADIOGRAPH.shape).copy()

        radiograph = transact(self.folder, read)
        if radiograph is None:
            raise CacheError(
                f"The cache {self.folder} holds no radiograph of content {digest}. Was it deleted meanwhile? "
                "Run the same command again: it decodes what is missing."
            )
        return radiograph

    def holds(self, digest: str) -> bool:
        """Answer whether the radiograph of a file's content digest is cached."""
        return transact(self.folder, lambda transaction: transaction.get(_radiograph_key(digest)) is not None)

    def _look_up(self, paths: Sequence[Path]) -> list[str | None]:
        """Return the content digest of each file that is unchanged since it was decoded, else None."""
        stats = [_stat(path) for path in paths]

        def read(transaction: Transaction) -> list[str | None]:
            return [
                None if stat is None else _known_digest(transaction, path, stat)
                for path, stat in zip(paths, stats, strict=True)
            ]

        return transact(self.folder, read)

    def _commit(self, decoded: Sequence[_Decoded]) -> None:
        """Store radiographs, and which files they came from, in one transaction."""

        def write(transaction: Transaction) -> None:
            for item in decoded:
                if item.pixels is not None:
                    transaction.put(_radiograph_key(item.digest), item.pixels, overwrite=False)
                record = _FILE_RECORD.pack(item.size, item.mtime_ns, bytes.fromhex(item.digest))
                transaction.put(_file_key(item.path), record)

        transact(self.folder, write, write=True)


def _decode(cache: RadiographCache, path: Path) -> _Decoded | _Failure:
    """Read one file and decode it, unless the cache holds its content. Runs in worker processes."""
    try:
        with path.open("rb") as stream:
            stat = os.fstat(stream.fileno())
            data = stream.read()
        digest = sha256_bytes(data)
        pixels = None if cache.holds(digest) else decode_radiograph(data).tobytes()
    except OSError as error:
        return _Failure(path, error.strerror or str(error))
    except RadiographError as error:
        return _Failure(path, str(error))
    return _Decoded(path, stat.st_size, stat.st_mtime_ns, digest, pixels)


def _known_digest(transaction: Transaction, path: Path, stat: os.stat_result) -> str | None:
    record = transaction.get(_file_key(path))
    if record is None:
        return None
    size, mtime_ns, digest = _FILE_RECORD.unpack(record)
    if (size, mtime_ns) != (stat.st_size, stat.st_mtime_ns):
        return None
    return digest.hex() if transaction.get(_radiograph_key(digest.hex())) is not None else None


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # the worker that tries to read it says why
        return None


def _radiograph_key(digest: str) -> bytes:
    """Return the key of a radiograph: another decoder must not find this one's pixels."""
    return b"radiograph:" + bytes.fromhex(digest) + DECODER_DIGEST.encode()


def _file_key(path: Path) -> bytes:
    """Return the key of a file's record; hashed, since a path may be longer than a key can be."""
    return b"file:" + bytes.fromhex(sha256_bytes(os.fsencode(path.absolute())))


def _unreadable(failures: Sequence[_Failure], total: int) -> DataSetError:
    listed = "\n".join(f"  {failure.path}: {failure.reason}" for failure in failures[:_SHOWN_FAILURES])
    more = f"\n  and {len(failures) - _SHOWN_FAILURES} more" if len(failures) > _SHOWN_FAILURES else ""
    return DataSetError(
        f"{len(failures)} of {total} images cannot be read as radiographs:\n{listed}{more}\n"
        "The others are decoded. Run `hilum data check` on the data set's folder for the whole list, "
        "then mend these files or remove their rows from metadata.csv."
    )
