"""What tells one release from another: networks, thresholds, data, code, and answers to the golden cases."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from hilum.contract import FINDINGS, LABELS
from training.promote.golden import TOLERANCE, GoldenCase
from training.promote.release import PinnedNetwork, Release, StoredRelease

REJECTED = "rejected"
"""What stands for the finding of an image that the filter rejected."""

_NETWORK_FIELDS = {
    "version": "version",
    "sha256": "SHA-256",
    "recipe": "recipe",
    "run_id": "training run",
    "data_digest": "training data",
    "git_revision": "code revision",
    "temperature": "temperature",
}
"""What is compared of each network: field of `PinnedNetwork` and its name for a reader."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One thing that two releases pin differently."""

    what: str
    """Such as `classifier SHA-256` or `threshold of covid19`."""
    before: Any
    """In the first release; None where it does not say."""
    after: Any
    """In the second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldenChange:
    """One golden case that two releases answer differently, or that only one of them has."""

    image: str
    """SHA-256 of the image."""
    before: str | None
    """The first release's finding, `rejected`, or None where it has no such case."""
    after: str | None
    """The second's."""
    largest_difference: float | None
    """Between two probabilities of the same name; None where they cannot be compared."""

    @property
    def changes_decision(self) -> bool:
        """Whether both answer, and differently."""
        return None not in (self.before, self.after) and self.before != self.after


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """How the second release differs from the first."""

    first: int
    """Release number."""
    second: int
    """Release number."""
    changes: tuple[Change, ...]
    """What they pin differently."""
    golden_changes: tuple[GoldenChange, ...]
    """Golden cases that they do not answer alike."""

    @property
    def is_empty(self) -> bool:
        """Whether both are the same in everything."""
        return not self.changes and not self.golden_changes

    @property
    def record(self) -> dict[str, Any]:
        """The difference as JSON has it."""
        return asdict(self)


def compare_releases(first: StoredRelease, second: StoredRelease) -> Difference:
    """Return how `second` differs from `first`."""
    return Difference(
        first=first.number,
        second=second.number,
        changes=tuple(_changes(first.release, second.release)),
        golden_changes=tuple(_golden_changes(first.release, second.release)),
    )


def _changes(first: Release, second: Release) -> Iterator[Change]:
    """Yield what they pin differently, in the order of the pipeline."""
    networks = {"filter": (first.filter, second.filter), "classifier": (first.classifier, second.classifier)}
    for name, (before, after) in networks.items():
        yield from _network_changes(name, before, after)
    pairs: list[tuple[str, Any, Any]] = [
        ("filter threshold", first.filter_threshold, second.filter_threshold),
        *(
            (f"threshold of {finding}", first.thresholds.get(finding), second.thresholds.get(finding))
            for finding in FINDINGS
        ),
        ("labels", list(first.labels), list(second.labels)),
        ("decoder", first.decoder_digest, second.decoder_digest),
        ("activation map", list(first.map_size), list(second.map_size)),
        ("embedding length", first.embedding_size, second.embedding_size),
        ("reference sample", first.reference_sha256, second.reference_sha256),
    ]
    for what, before, after in pairs:
        if before != after:
            yield Change(what=what, before=before, after=after)


def _network_changes(name: str, before: PinnedNetwork, after: PinnedNetwork) -> Iterator[Change]:
    for field, title in _NETWORK_FIELDS.items():
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            yield Change(what=f"{name} {title}", before=old, after=new)


def _golden_changes(first: Release, second: Release) -> Iterator[GoldenChange]:
    """Yield the cases that are not answered alike: another decision, or a probability beyond rounding."""
    old = {case.sha256: case for case in first.golden_cases}
    new = {case.sha256: case for case in second.golden_cases}
    for image in dict.fromkeys((*old, *new)):
        before, after = _finding(first, old.get(image)), _finding(second, new.get(image))
        gap = _largest_difference(old[image], new[image]) if image in old and image in new else None
        if before != after or (gap is not None and gap > TOLERANCE):
            yield GoldenChange(image=image, before=before, after=after, largest_difference=gap)


def _finding(release: Release, case: GoldenCase | None) -> str | None:
    if case is None:
        return None
    return release.operating_point.finding(_probabilities(case)) or REJECTED


def _probabilities(case: GoldenCase) -> tuple[float, ...]:
    return case.probabilities or (math.nan,) * len(LABELS)


def _largest_difference(before: GoldenCase, after: GoldenCase) -> float:
    """Return the largest difference between probabilities that both releases gave."""
    pairs = [
        (before.valid_probability, after.valid_probability),
        *zip(_probabilities(before), _probabilities(after), strict=True),
    ]
    return max(abs(old - new) for old, new in pairs if not math.isnan(old - new))
