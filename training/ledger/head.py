"""The newest entry's number and digest, kept outside the database.

The chain shows every change but one: entries cut off its end. So each writer also leaves the head in a small
file: beside a SQLite ledger, in `HILUM_HOME` for PostgreSQL. A head that the ledger has passed is legal (a
crash between the two writes, or another machine's file); one that the ledger does not hold is proof of loss.
"""

import fcntl
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hilum.errors import UsageError
from hilum.files import write_atomic
from training.errors import LedgerError

_FORM = re.compile(r"(\d{1,18}):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Head:
    """Testimony that entry `number` had `digest`."""

    number: int
    """Number of the entry that was newest; 0 for an empty ledger."""
    digest: str
    """Its digest."""

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"


def parse_head(text: str) -> Head:
    """Return the head that `N:DIGEST` names.

    Raises:
        UsageError: it is not of that form.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"{text.strip()[:80]!r} is no head of a ledger: expected NUMBER:DIGEST with 64 hex digits."
        )
    return Head(int(match[1]), match[2])


class HeadFile:
    """The file that testifies to the newest entry."""

    def __init__(self, path: Path) -> None:
        """Name the file; it need not exist."""
        self.path = path

    def read(self) -> Head | None:
        """Return what the file says; None where there is none.

        Raises:
            LedgerError: it does not hold a head.
        """
        try:
            return parse_head(self.path.read_text())
        except FileNotFoundError:
            return None
        except (UsageError, UnicodeDecodeError) as error:
            raise LedgerError(
                f"{self.path} is damaged: expected NUMBER:DIGEST of the ledger's newest entry. Keep it under "
                "another name for whoever looks into it: the next entry makes a new one."
            ) from error

    def advance(self, head: Head, digest_in_ledger: Callable[[int], str | None]) -> None:
        """Let the file testify to `head`, unless it knows of more, or of something that the ledger lost.

        A contradiction stays in the file, so that entries appended later do not cover a loss up.

        Args:
            head: the entry just appended.
            digest_in_ledger: the digest of an entry by number, as the ledger has it; None where it has none.
        """
        with self._lock():
            try:
                known = self.read()
            except LedgerError:
                return
            if known and (known.number >= head.number or digest_in_ledger(known.number) != known.digest):
                return
            write_atomic(self.path, f"{head}\n".encode())

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Keep two writers from putting the file back; given up by the system however the process ends."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name(f".{self.path.name}.lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield
