"""The head file only moves forward, and keeps what contradicts the ledger."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hilum.errors import UsageError
from training.errors import LedgerError
from training.ledger.head import Head, HeadFile, parse_head

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def holding(*digests: str) -> Callable[[int], str | None]:
    """A ledger that holds entries 1, 2, … with these digests."""
    return lambda number: digests[number - 1] if 0 < number <= len(digests) else None


def test_a_head_is_read_as_it_is_printed() -> None:
    assert parse_head(f" {Head(12, A)}\n") == Head(12, A)


@pytest.mark.parametrize("text", ["", "12", f"x:{A}", f"-1:{A}", f"1:{A[:-1]}", f"1:{A}0", f"1:{A.upper()}"])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected NUMBER:DIGEST"):
        parse_head(text)


def test_the_file_advances_with_the_ledger(tmp_path: Path) -> None:
    file = HeadFile(tmp_path / "home" / "ledger.head")
    assert file.read() is None
    file.advance(Head(1, A), holding(A))
    file.advance(Head(3, C), holding(A, B, C))
    assert file.read() == Head(3, C)
    assert (tmp_path / "home" / "ledger.head").read_text() == f"3:{C}\n"


def test_a_slower_writer_does_not_put_it_back(tmp_path: Path) -> None:
    file = HeadFile(tmp_path / "ledger.head")
    file.advance(Head(2, B), holding(A, B))
    file.advance(Head(1, A), holding(A, B))
    assert file.read() == Head(2, B)


@pytest.mark.parametrize("ledger", [holding(A, C, C), holding(A)], ids=["rewritten", "cut off"])
def test_a_contradiction_stays(tmp_path: Path, ledger: Callable[[int], str | None]) -> None:
    file = HeadFile(tmp_path / "ledger.head")
    file.advance(Head(2, B), holding(A, B))
    file.advance(Head(3, C), ledger)
    assert file.read() == Head(2, B)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe"])
def test_a_damaged_file_is_named_and_kept(tmp_path: Path, content: bytes) -> None:
    file = HeadFile(tmp_path / "ledger.head")
    file.path.write_bytes(content)
    with pytest.raises(LedgerError, match=f"{file.path} is damaged"):
        file.read()
    file.advance(Head(1, A), holding(A))
    assert file.path.read_bytes() == content
