"""Paired answers of a champion and a challenger, without a server."""

from datetime import UTC, datetime, timedelta

from hilum.contract import LABELS
from hilum.files import sha256_bytes
from hilum.paired_answers import Pair, PairedAnswer

START = datetime(2026, 3, 1, 8, tzinfo=UTC)


def answer(said: str, *, release: int = 1, sure: float = 0.8, latency_s: float = 0.1) -> PairedAnswer:
    """Return an answer: one of the labels, reported with the probability `sure`, or `rejected`."""
    if said == "rejected":
        return PairedAnswer(
            release=release,
            accepted=False,
            valid_probability=0.05,
            probabilities=None,
            finding=None,
            latency_s=latency_s,
        )
    rest = (1 - sure) / (len(LABELS) - 1)
    return PairedAnswer(
        release=release,
        accepted=True,
        valid_probability=0.95,
        probabilities={label: sure if label == said else rest for label in LABELS},
        finding=said,
        latency_s=latency_s,
    )


def pair(
    image: int | str,
    champion: str,
    challenger: str | None,
    *,
    releases: tuple[int, int] = (1, 2),
    minute: float | None = None,
    sure: tuple[float, float] = (0.8, 0.8),
) -> Pair:
    """Return a pair; without a challenger's answer, one whose challenger timed out.

    Args:
        image: its digest, or a number that a digest is made from.
        champion: what the champion said.
        challenger: what the challenger said; None where it failed.
        releases: their release numbers.
        minute: when, in minutes from `START`; the image's number by default.
        sure: the probability with which each said it.
    """
    digest = image if isinstance(image, str) else sha256_bytes(str(image).encode())
    after = minute if minute is not None else float(image)
    return Pair(
        at=START + timedelta(minutes=after),
        image=digest,
        champion=answer(champion, release=releases[0], sure=sure[0]),
        challenger=None
        if challenger is None
        else answer(challenger, release=releases[1], sure=sure[1], latency_s=0.2),
        error="DeadlineExceededError" if challenger is None else None,
    )
