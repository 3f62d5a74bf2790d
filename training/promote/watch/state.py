"""How the watcher is: written by its loop, read by who asks over HTTP."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """How the last pass ended."""

    succeeded: bool
    """Whether it did all that there was to do."""
    ended_at: datetime
    """When, in UTC."""
    last_success_at: datetime | None
    """When a pass last succeeded, in UTC; None where none did."""
    sentence: str
    """What it did, or why it failed."""


class State:
    """The condition of one watcher, replaced as a whole."""

    def __init__(self) -> None:
        """No pass has ended yet."""
        self.condition: Condition | None = None

    def is_known(self, sentence: str) -> bool:
        """Whether the last pass ended with this sentence."""
        return self.condition is not None and self.condition.sentence == sentence

    def succeeded(self, sentence: str) -> None:
        """Say that a pass has just succeeded."""
        now = datetime.now(UTC)
        self.condition = Condition(succeeded=True, ended_at=now, last_success_at=now, sentence=sentence)

    def failed(self, sentence: str) -> None:
        """Say that a pass has just failed."""
        before = self.condition.last_success_at if self.condition else None
        self.condition = Condition(
            succeeded=False, ended_at=datetime.now(UTC), last_success_at=before, sentence=sentence
        )
