"""A ledger as JSON lines, for an auditor to keep: one entry a line, byte for byte reproducible."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from training.errors import LedgerError
from training.ledger.entry import Record, canonical_json


def to_lines(records: Iterable[Record]) -> Iterator[str]:
    """Yield a line for each record, damaged or not: the same entry always gives the same line."""
    return (canonical_json(dict(record)) + "\n" for record in records)


def read_export(path: Path) -> Iterator[Record]:
    """Yield the records of an exported file, unchecked.

    Raises:
        LedgerError: a line holds no JSON object: it is no export, or was cut off within a line.
    """
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if not isinstance(record, dict):
                raise LedgerError(
                    f"Line {number} of {path} holds no entry: expected one JSON object a line, as "
                    "`hilum ledger export` writes them. The file was cut off or changed."
                )
            yield record
