"""What a lint finds: where, what is wrong, and what to mend."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Defect:
    """One thing in a model repository that Triton would refuse, serve wrongly or never use."""

    file: str
    """Path below the repository."""
    problem: str
    """What was expected and what was found, as a sentence."""
    remedy: str
    """What to do, as a sentence."""
