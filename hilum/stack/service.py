"""What the stack knows of one of its servers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hilum.ports import Port
from hilum.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """One server of the stack."""

    name: str
    """Names its process, its log and itself in messages."""
    address: str
    """Where people and programs reach it."""
    health_url: str
    """Answers 200 once the server is ready."""
    ports: tuple[Port, ...]
    """The ports that must be free before it starts."""
    ready_timeout_s: float
    """Longest start, in seconds."""
    find_causes: Callable[[str], list[str]]
    """Finds the lines of its log that say why it did not start."""
    run: Callable[[Settings], None]
    """Runs the server; returns once it was stopped, if at all."""


def log_path(home: Path, name: str) -> Path:
    """Return where the stack keeps a service's log."""
    return home / "logs" / f"{name}.log"
