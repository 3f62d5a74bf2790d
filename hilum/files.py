"""Files that are either whole or absent, and their digests."""

import hashlib
import os
import re
import tempfile
from pathlib import Path


def sha256_bytes(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's content, read in blocks, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write `data` to `path` so that a reader, or a crash, sees the old file or the new one, never a part.

    Raises:
        OSError: the disk is full or read-only; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        draft.chmod(mode)
        draft.replace(path)
    except BaseException:
        draft.unlink()
        raise
    fsync_folder(path.parent)


def write_once(path: Path, data: bytes, *, mode: int) -> None:
    """Write `data` to `path` unless it exists; of two writers at once one wins, and nothing is torn."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    write_atomic(draft, data, mode=mode)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def safe_name(stem: str) -> str:
    """Return a file name of letters, digits, `.`, `_` and `-` that every file system takes."""
    name = re.sub(r"[^\w.-]", "_", stem).lstrip(".")
    return name.encode()[:120].decode(errors="ignore") or "image"


def fsync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
