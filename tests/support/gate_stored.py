"""A release with one golden case, for tests of what the gate makes of it."""

from tests.support.toy_record import toy_record
from training.promote.golden import GoldenCase
from training.promote.release import StoredRelease

GOLDEN_FILE = "golden/0.png"


def stored_release(number: int = 7, **changes: object) -> StoredRelease:
    """Return a release that promises one answer; `changes` replace fields of its record."""
    case = GoldenCase(
        file=GOLDEN_FILE,
        sha256="ef" * 32,
        valid_probability=0.9,
        accepted=True,
        probabilities=(0.7, 0.2, 0.1),
    )
    record = toy_record().model_copy(update={"golden_cases": (case,), **changes})
    return StoredRelease(number=number, release=record, golden_files={GOLDEN_FILE: b"golden"})
