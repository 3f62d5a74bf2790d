"""Moves the alias that says which release is to serve."""

from dataclasses import dataclass
from datetime import UTC, datetime

from hilum.contract import SCREENING
from training.registry import CHAMPION, PREVIOUS, Registry

PROMOTED_AT_TAG = "hilum.promoted_at"
REASON_TAG = "hilum.promotion_reason"


@dataclass(frozen=True, kw_only=True, slots=True)
class Promotion:
    """The outcome of a promotion."""

    release: int
    """The champion."""
    previous: int | None
    """The champion before it; None where there was none."""
    changed: bool
    """False where the release already was champion."""


def promote_release(registry: Registry, number: int, *, reason: str = "") -> Promotion:
    """Make a release the champion, and the champion before it `previous`.

    Raises:
        UnknownVersionError: there is no such release.
    """
    registry.version(SCREENING, number)
    aliases = registry.aliases(SCREENING)
    champion = aliases.get(CHAMPION)
    if champion == number:
        return Promotion(release=number, previous=aliases.get(PREVIOUS), changed=False)
    registry.set_version_tags(
        SCREENING,
        number,
        {PROMOTED_AT_TAG: datetime.now(UTC).isoformat(timespec="seconds"), REASON_TAG: reason},
    )
    if champion is not None:
        registry.set_alias(SCREENING, PREVIOUS, champion)
    registry.set_alias(SCREENING, CHAMPION, number)
    return Promotion(release=number, previous=champion, changed=True)
