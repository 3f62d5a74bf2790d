"""Files are whole or absent, also where the disk ends."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hilum.files import sha256_bytes, sha256_file, write_atomic, write_once


@contextmanager
def disk_that_ends_at(n_bytes: int) -> Iterator[None]:
    """Let the kernel refuse writes beyond `n_bytes` per file, as a full disk does."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_content_and_mode_are_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_atomic(path, b"content", mode=0o600)
    assert path.read_bytes() == b"content"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")
    with disk_that_ends_at(1000), pytest.raises(OSError, match="File too large"):
        write_atomic(path, b"n" * 10_000)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_of_two_writers_the_first_wins(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_once(path, b"first", mode=0o600)
    write_once(path, b"second", mode=0o600)
    assert path.read_bytes() == b"first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


def test_digests_are_those_of_sha256sum(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    published = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-4, example
    assert sha256_file(path) == sha256_bytes(b"abc") == published
