"""The sequential test against hand-worked cases, an integral, the binomial test, and simulated traffic."""

from math import factorial, isnan, log

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom, binomtest

from hilum.errors import UsageError
from training.evaluate.sequential import log_e_value, sequential_test, share_bounds

ALPHA = 0.05


def pairs(only_a: int, only_b: int, both: int = 0, neither: int = 0) -> tuple[list[bool], list[bool]]:
    """Return paired answers: agreeing ones first, then A's discordant ones, then B's."""
    a = [True] * both + [False] * neither + [True] * only_a + [False] * only_b
    b = [True] * both + [False] * neither + [False] * only_a + [True] * only_b
    return a, b


def test_a_case_worked_by_hand() -> None:
    # Ten pairs, one of A's first: 2^10 * 1! 9! / 11! = 1024 / 110. Nothing before was stronger evidence.
    test = sequential_test(*pairs(1, 9, both=5, neither=7))
    assert (test.only_a, test.only_b) == (1, 9)
    assert test.e_value == pytest.approx(1024 / 110)
    assert test.p_value == pytest.approx(110 / 1024)
    assert test.share == 0.9
    assert test.decided_at is None


def test_pairs_all_on_one_side_decide_after_eight() -> None:
    # 2^7 / 8 = 16 < 20 <= 2^8 / 9.
    assert sequential_test(*pairs(0, 7)).decided_at is None
    test = sequential_test(*pairs(0, 12, neither=3))
    assert test.decided_at == 3 + 8
    assert test.e_value == pytest.approx(2**12 / 13)


def test_evidence_once_seen_is_kept_though_later_pairs_speak_against_it() -> None:
    a, b = pairs(0, 12)
    test = sequential_test(a + [True] * 12, b + [False] * 12)
    assert test.p_value == pytest.approx(13 / 2**12)
    assert test.e_value == pytest.approx(2**24 * factorial(12) ** 2 / factorial(25))
    assert test.decided_at == 8


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (0, 3), (4, 9), (60, 31)])
def test_e_is_the_mixed_likelihood_over_that_of_a_fair_coin(only_a: int, only_b: int) -> None:
    n = only_a + only_b
    mixed, _ = quad(lambda theta: float(binom.pmf(only_b, n, theta)), 0, 1)
    expected = mixed / float(binom.pmf(only_b, n, 0.5))
    assert log_e_value(np.array([only_a]), np.array([only_b])) == pytest.approx(log(expected))


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 1), (3, 0), (4, 9), (60, 31), (1, 2000), (5000, 5000)])
def test_the_bounds_are_where_a_share_is_just_not_ruled_out(only_a: int, only_b: int) -> None:
    n = only_a + only_b
    lower, upper = share_bounds(only_a, only_b)
    assert 0 <= lower <= only_b / n <= upper <= 1
    for bound in {lower, upper} - {0.0, 1.0}:
        # The mixture gives every count the same chance, 1 / (n + 1).
        assert binom.pmf(only_b, n, bound) * (n + 1) == pytest.approx(ALPHA)
    assert (lower == 0) == (only_b == 0)
    assert (upper == 1) == (only_a == 0)


@pytest.mark.parametrize("only_a", range(12))
@pytest.mark.parametrize("only_b", [7, 8, 20, 25])
def test_the_interval_leaves_a_half_out_where_e_is_twenty_or_more(only_a: int, only_b: int) -> None:
    lower, upper = share_bounds(only_a, only_b)
    evidence = float(log_e_value(np.array(only_a), np.array(only_b)))
    assert (lower <= 0.5 <= upper) == (evidence < log(1 / ALPHA))


def test_without_discordant_pairs_nothing_is_said() -> None:
    for answers in (pairs(0, 0), pairs(0, 0, both=3, neither=9)):
        test = sequential_test(*answers)
        assert (test.e_value, test.p_value, test.lower, test.upper) == (1, 1, 0, 1)
        assert isnan(test.share)
        assert test.decided_at is None


def test_more_evidence_than_a_float_holds_is_capped() -> None:
    test = sequential_test(*pairs(0, 2000))
    assert 1e299 < test.e_value < 1e300
    assert test.p_value == pytest.approx(0, abs=1e-300)


def test_answers_that_do_not_pair_are_refused() -> None:
    with pytest.raises(UsageError, match=r"come in pairs; got 2 of A and 1 of B"):
        sequential_test([True, False], [True])


def test_looking_after_every_pair_raises_no_more_false_alarms_than_promised() -> None:
    """2,000 challengers that differ from their champion by chance only, with 1,000 discordant pairs each.

    The customary test, looked at 50 times, raises them in more than a quarter: what the sequential test is
    for.
    """
    random = np.random.default_rng(0)
    only_b = random.integers(0, 2, (2000, 1000)).cumsum(axis=1)
    n = np.arange(1, 1001)
    alarms = (log_e_value(n - only_b, only_b) >= log(1 / ALPHA)).any(axis=1).mean()
    assert 0 < alarms <= ALPHA
    looked_at = np.arange(20, 1001, 20) - 1
    critical = np.array([binom.ppf(ALPHA / 2, int(n[i]), 0.5) for i in looked_at])
    few = np.minimum(only_b, n - only_b)[:, looked_at] < critical
    assert few.any(axis=1).mean() > 0.25
    # The same rule at one look, as a check of this comparison itself.
    assert few[:, -1].mean() <= ALPHA + 3 * (ALPHA * (1 - ALPHA) / 2000) ** 0.5
    assert binomtest(int(critical[-1]) - 1, 1000).pvalue <= ALPHA


def test_the_interval_holds_the_true_share_at_all_times_at_once() -> None:
    """Of 400 challengers with 300 discordant images each, looked at after every one of them."""
    random = np.random.default_rng(1)
    only_b = (random.random((400, 300)) < 0.7).cumsum(axis=1)
    counts = np.stack([np.arange(1, 301) - only_b, only_b], axis=-1).reshape(-1, 2)
    reached, where = np.unique(counts, axis=0, return_inverse=True)
    bounds = np.array([share_bounds(int(a), int(b)) for a, b in reached])
    is_outside = (bounds[:, 0] > 0.7) | (bounds[:, 1] < 0.7)
    missed = is_outside[where.reshape(400, 300)].any(axis=1).mean()
    assert 0 < missed <= ALPHA


def test_a_real_difference_is_found() -> None:
    """A challenger with three quarters of the discordant images on its side is mostly found within 80."""
    random = np.random.default_rng(2)
    found = 0
    for _ in range(200):
        b = random.random(80) < 0.75
        found += sequential_test((~b).tolist(), b.tolist()).decided_at is not None
    assert found / 200 > 0.9
