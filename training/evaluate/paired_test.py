"""How a test judges the difference between two networks, whichever test it is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PairedTest:
    """A judgement of a difference B - A on the same images, each taken for independent of the others."""

    lower: float | None
    """Lower bound of the difference's interval; None where the test cannot judge it."""
    upper: float | None
    """Upper bound of the difference's interval; None where the test cannot judge it."""
    p_value: float | None
    """Two-sided p value of no difference; None where the test cannot judge it."""


UNTESTED = PairedTest(None, None, None)
"""The images cannot tell."""
