"""Asks a release its golden cases: whichever way it is asked, it has to answer as it promised."""

from collections.abc import Callable

from training.promote.asking import FrontDoorAnswer
from training.promote.release import StoredRelease


def find_broken_promise(stored: StoredRelease, ask: Callable[[bytes], FrontDoorAnswer]) -> str | None:
    """Return the first broken promise of a release as a sentence; None where all are kept.

    Args:
        stored: the release, with its golden cases.
        ask: gets the answer to the content of one image file; its errors are the caller's.
    """
    for case in stored.release.golden_cases:
        found = ask(stored.golden_files[case.file])
        problem = case.disagreement(
            found.valid_probability,
            found.probabilities,
            accepted=found.accepted,
            operating_point=stored.release.operating_point,
        )
        if problem:
            return problem
    return None
