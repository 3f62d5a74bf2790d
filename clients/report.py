"""How a batch's outcomes are shown: a table and the errors on the terminal, or a CSV file."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clients.batch import Outcome
from clients.results import Screening
from hilum.contract import LABELS, NOTICE
from hilum.files import write_atomic

CSV_COLUMNS = (
    "file",
    "release",
    "accepted",
    "valid_probability",
    *(f"probability_{label}" for label in LABELS),
    "finding",
    "heatmap",
    "error",
)
"""The columns of `hilum predict --csv`; a cell without a value is empty."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes a spreadsheet take a cell for a formula (OWASP, CSV injection)."""

PIPED_WIDTH = 240
"""Columns that a table may take where no terminal limits it."""


def print_answers(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print a table of the answers with the notice under it, then a line for each file that failed."""
    if not console.is_terminal:
        console = Console(file=console.file, width=PIPED_WIDTH, highlight=False, soft_wrap=True)
    if any(outcome.screening for outcome in outcomes):
        console.print(_build_table(outcomes))
        console.print(NOTICE)
    print_failures(console, outcomes)


def print_failures(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print a line for each file that failed."""
    for outcome in outcomes:
        if outcome.error is not None:
            console.print(f"{printable(outcome.file)}: {printable(str(outcome.error))}", markup=False)


def write_csv(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write the outcomes to `path`, whole or not at all.

    Raises:
        OSError: the disk is full or read-only; the old file, if any, is untouched.
    """
    write_atomic(path, as_csv(outcomes))


def as_csv(outcomes: Sequence[Outcome]) -> bytes:
    """Return the outcomes as a table, one row per file."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, CSV_COLUMNS, restval="")
    writer.writeheader()
    writer.writerows(_csv_row(outcome) for outcome in outcomes)
    return text.getvalue().encode()


def _build_table(outcomes: Sequence[Outcome]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("file", "finding"):
        table.add_column(heading, overflow="fold")
    for heading in (*(label.replace("_", " ") for label in LABELS), "valid", "release"):
        table.add_column(heading, justify="right")
    for outcome in outcomes:
        if outcome.screening is not None:
            table.add_row(Text(printable(outcome.file)), *_answer_cells(outcome.screening))
    return table


def _answer_cells(screening: Screening) -> list[str]:
    finding = "rejected by filter" if screening.finding is None else screening.finding
    probabilities = (
        ["-"] * len(LABELS)
        if screening.probabilities is None
        else [f"{screening.probabilities[label]:.2f}" for label in LABELS]
    )
    return [finding, *probabilities, f"{screening.valid_probability:.2f}", str(screening.release)]


def _csv_row(outcome: Outcome) -> dict[str, object]:
    record = outcome.as_json()
    probabilities = record.pop("probabilities", None) or {}
    record.update({f"probability_{label}": value for label, value in probabilities.items()})
    return {
        column: f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
        for column, value in record.items()
    }


def printable(text: str) -> str:
    """Return `text` without characters that could steer a terminal or turn the direction of reading."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
