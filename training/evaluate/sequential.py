"""A test of paired decisions that stays valid however often one looks at it.

McNemar's test is right for one look at a number of cases fixed beforehand. Whoever watches a challenger looks
again and again, and would sooner or later see p < 0.05 with certainty, though nothing differs. Here the
chance of ever seeing it stays below 5 %.

Only discordant pairs tell A and B apart. If both say yes equally often, each discordant pair is a fair coin.
The likelihood of the b pairs of B's and the a pairs of A's, mixed over all shares theta with a Beta(1, 1)
weight, relative to the fair coin's is

    E = 2^(a+b) B(b + 1, a + 1) = 2^(a+b) a! b! / (a + b + 1)!

It is a martingale with mean 1 while the coins are fair, so that it ever reaches 1 / alpha with a chance of
alpha at most (Ville 1939; Robbins 1970, Annals of Mathematical Statistics 41:1397). The smallest 1 / E seen
is an always valid p value (Johari, Koomen, Pekelis and Walsh 2022, Operations Research 70:1806). The shares
theta against which the mixture has never this much to say form an interval that holds at all times at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, log1p, nan

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaln

from hilum.errors import UsageError
from training.evaluate.intervals import CONFIDENCE
from training.evaluate.metrics import Floats, Integers

_MOST_LOG_E = 690.0
"""Natural logarithm of the largest e value that is given: a float holds no more."""

_MOST_LOG_ODDS = 690.0
"""Log odds beyond which a share is 0 or 1 to a float."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SequentialTest:
    """What N pairs in the order of their arrival say about whether A and B say yes equally often."""

    only_a: int
    """Pairs in which only A says yes."""
    only_b: int
    """Pairs in which only B says yes."""
    e_value: float
    """The evidence now against "equally often": how often it multiplied the stake of one who bet on a
    difference; 1 where there is no discordant pair. At most 1e299."""
    p_value: float
    """Always valid: the chance of ever seeing evidence as large as the largest so far, if nothing differs, is
    at most this."""
    share: float
    """The share of discordant pairs in which it is B that says yes, in [0, 1]; NaN where there is none."""
    lower: float
    """Lower bound of that share, valid at all times at once, with `CONFIDENCE`."""
    upper: float
    """Upper bound of that share."""
    decided_at: int | None
    """The number of pairs, from 1, after which p first was 1 - `CONFIDENCE` or less; None so far."""


def sequential_test(a: Sequence[bool], b: Sequence[bool]) -> SequentialTest:
    """Test whether A and B say yes equally often, on pairs in the order of their arrival.

    It takes the pairs to be independent of each other: count an image once, and of a patient's images one.

    Args:
        a: (N,) whether A says yes.
        b: (N,) whether B says yes, of the same pairs.

    Raises:
        UsageError: there are more answers of one than of the other.
    """
    if len(a) != len(b):
        raise UsageError(f"Paired answers come in pairs; got {len(a)} of A and {len(b)} of B.")
    only_a, only_b = (np.cumsum(found) for found in _discordant(a, b))
    if not len(only_a):
        return _untested()
    evidence = log_e_value(only_a, only_b)
    alpha = 1 - CONFIDENCE
    reached = np.flatnonzero(evidence >= -log(alpha))
    last_a, last_b = int(only_a[-1]), int(only_b[-1])
    lower, upper = share_bounds(last_a, last_b)
    return SequentialTest(
        only_a=last_a,
        only_b=last_b,
        e_value=exp(min(float(evidence[-1]), _MOST_LOG_E)),
        p_value=min(1.0, exp(-float(evidence.max()))),
        share=last_b / (last_a + last_b) if last_a + last_b else nan,
        lower=lower,
        upper=upper,
        decided_at=int(reached[0]) + 1 if len(reached) else None,
    )


def log_e_value(only_a: Integers, only_b: Integers) -> Floats:
    """Return the natural logarithm of E for counts of discordant pairs, of any shape."""
    evidence: Floats = (only_a + only_b) * log(2) + betaln(only_b + 1, only_a + 1)
    return evidence


def share_bounds(only_a: int, only_b: int) -> tuple[float, float]:
    """Return the bounds of B's share of discordant pairs, valid at all times at once.

    They enclose every theta at which B(b + 1, a + 1) / (theta^b (1 - theta)^a), the mixture's likelihood
    relative to that of theta, lies below 1 / alpha. As a test the interval leaves 1/2 out exactly where E is
    1 / alpha or more.
    """
    limit = float(betaln(only_b + 1, only_a + 1)) + log(1 - CONFIDENCE)

    def excess(log_odds: float) -> float:
        """Return the logarithm of a share's likelihood less the lowest that is kept."""
        return -only_b * log1p(exp(-log_odds)) - only_a * log1p(exp(log_odds)) - limit

    def root(start: float, end: float) -> float:
        return 1 / (1 + exp(-float(brentq(excess, start, end))))

    likeliest = log(only_b / only_a) if only_a and only_b else _MOST_LOG_ODDS * (1 if only_b else -1)
    lower = root(-_MOST_LOG_ODDS, likeliest) if only_b else 0.0
    upper = root(likeliest, _MOST_LOG_ODDS) if only_a else 1.0
    return lower, upper


def _discordant(a: Sequence[bool], b: Sequence[bool]) -> tuple[Integers, Integers]:
    """Return (N,) 1 where only A says yes, and where only B does."""
    of_a, of_b = np.asarray(a, dtype=np.bool_), np.asarray(b, dtype=np.bool_)
    return (of_a & ~of_b).astype(np.int64), (of_b & ~of_a).astype(np.int64)


def _untested() -> SequentialTest:
    return SequentialTest(
        only_a=0, only_b=0, e_value=1.0, p_value=1.0, share=nan, lower=0.0, upper=1.0, decided_at=None
    )
