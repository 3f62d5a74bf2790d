"""What commands print: progress and messages to stderr, answers to stdout."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

T = TypeVar("T")

stderr = Console(stderr=True, highlight=False, soft_wrap=True)
"""Progress bars, notes and errors."""

stdout = Console(highlight=False, soft_wrap=True)
"""Tables and sentences that are a command's answer."""


def progress_bar() -> Progress:
    """Return a progress display on stderr; silent where stderr is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=stderr,
        disable=not stderr.is_terminal,
        redirect_stdout=False,  # or answers on a piped stdout would go to the terminal instead
    )


def track(items: Iterable[T], description: str, *, total: int) -> Iterator[T]:
    """Yield `items` while a progress bar on stderr counts them up to `total`."""
    with progress_bar() as progress:
        yield from progress.track(items, total=total, description=description)


def emit_json(record: Mapping[str, Any]) -> None:
    """Print one JSON object on a line of its own on stdout; NaN and infinities become null."""
    click.echo(json.dumps(_finite(record), ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    """Replace floats that JSON cannot carry by None, at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
