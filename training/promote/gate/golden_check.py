"""Asks a release its golden cases through the front door."""

from hilum.errors import HilumError
from training.promote.gate.front_door import FrontDoor
from training.promote.golden import GoldenCase
from training.promote.release import StoredRelease
from training.promote.verdict import Check


def check_golden(door: FrontDoor, stored: StoredRelease) -> Check:
    """Ask the golden cases of a release."""
    problem = golden_problem(door, stored)
    n = len(stored.release.golden_cases)
    return Check(
        name="golden cases",
        outcome="failed" if problem else "passed",
        sentence=f"The release does not answer as promised. {problem}"
        if problem
        else f"All {n} golden cases are answered as the release promises.",
        numbers={"cases": n},
    )


def golden_problem(door: FrontDoor, stored: StoredRelease) -> str | None:
    """Return the first broken promise; None where all are kept."""
    for case in stored.release.golden_cases:
        problem = _disagreement(door, stored, case)
        if problem:
            return problem
    return None


def _disagreement(door: FrontDoor, stored: StoredRelease, case: GoldenCase) -> str | None:
    try:
        found = door.ask(stored.golden_files[case.file])
    except HilumError as error:
        return f"{case.file} is not answered: {error}"
    if found.release != stored.number:
        return f"Release {found.release} answers {case.file} instead of release {stored.number}."
    return case.disagreement(
        found.valid_probability,
        found.probabilities,
        accepted=found.accepted,
        operating_point=stored.release.operating_point,
    )
