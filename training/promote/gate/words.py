"""The words that statistical checks share."""

from training.promote.gate.bounds import MOST_TIMES


def cases_named(label: str, metric: str) -> str:
    """Return what the cases are called that a metric of a class is about."""
    if metric == "sensitivity":
        return f"{label} cases"
    return f"cases without {label}" if metric == "specificity" else "cases"


def needed(more: int | None, n: int, minimum: int, named: str) -> str:
    """Return what would settle a question that cannot be told from `n` cases, as a sentence.

    Args:
        more: further cases that would; None where no practicable number does.
        n: cases at hand.
        minimum: fewest cases that the policy lets decide.
        named: what the cases are called.
    """
    least = max(minimum - n, 0)
    if more is None:
        return (
            f"No practicable number of {named} would settle it (more than {MOST_TIMES} times those at hand): "
            "it lies at the limit itself."
        )
    if least > more:
        return f"{n} are too few: {least} more {named} are needed before they count."
    return f"About {more:,} more {named} would settle it."
