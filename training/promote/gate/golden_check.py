"""Asks a release its golden cases through the front door."""

from hilum.errors import HilumError
from training.errors import GateError
from training.promote.asking import FrontDoorAnswer
from training.promote.gate.front_door import FrontDoor
from training.promote.promise import find_broken_promise
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

    def ask(image: bytes) -> FrontDoorAnswer:
        answer = door.ask(image)
        if answer.release != stored.number:
            raise GateError(f"release {answer.release} answers instead of release {stored.number}.")
        return answer

    try:
        return find_broken_promise(stored, ask)
    except HilumError as error:
        return f"A golden case is not answered: {error}"
