import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from statsmodels.stats.contingency_tables import mcnemar

from hilum.errors import UsageError
from training.evaluate.mcnemar import mcnemar_test


def closed_form(n: int, only_a: int, only_b: int) -> tuple[float, float]:
    """Tango's bounds as the outer real roots of a quartic (Yang, Sun and Hardin 2013)."""
    g, d, s = float(norm.ppf(0.975)) ** 2, only_b - only_a, only_a + only_b
    quartic = [
        n**2 * (n / g + 1) ** 2,
        -n * d * (n / g + 1) * (4 * n / g + 1),
        2 * n * d**2 * (3 * n / g + 2) / g - n**2 * (s / g + 1),
        n * d * (2 * s / g + 1) - d**3 * (4 * n / g + 1) / g,
        d**2 * (d**2 / g - s) / g,
    ]
    roots = np.roots(quartic)
    real = roots.real[np.abs(roots.imag) < 1e-5]
    return float(real.min()), float(real.max())


def test_the_published_interval() -> None:
    # Complete response before and after consolidation (Cavo et al. 2012): 16 and 6 of 161 discordant,
    # -0.0621 (-0.1240 to -0.0054) in the R package contingencytables of Fagerland, Lydersen and Laake (2017).
    test = mcnemar_test(161, only_a=16, only_b=6)
    assert (test.lower, test.upper) == pytest.approx((-0.1240, -0.0054), abs=5e-5)


@pytest.mark.parametrize(
    ("n", "only_a", "only_b"), [(21, 7, 1), (161, 16, 6), (43, 0, 5), (30, 4, 4), (1000, 60, 40), (9, 3, 6)]
)
def test_the_interval_equals_the_closed_form(n: int, only_a: int, only_b: int) -> None:
    test = mcnemar_test(n, only_a=only_a, only_b=only_b)
    assert (test.lower, test.upper) == pytest.approx(closed_form(n, only_a, only_b), abs=1e-6)


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (0, 1), (3, 5), (5, 3), (12, 2), (40, 60)])
def test_the_p_value_equals_statsmodels(only_a: int, only_b: int) -> None:
    expected = mcnemar([[200, only_a], [only_b, 100]], exact=True).pvalue
    assert mcnemar_test(300 + only_a + only_b, only_a=only_a, only_b=only_b).p_value == pytest.approx(
        expected
    )


def test_without_a_discordant_image_the_interval_says_how_few_images_there_are() -> None:
    # By hand: (n d)^2 = z^2 n d (1 - d), so d = z^2 / (n + z^2).
    z2 = norm.ppf(0.975) ** 2
    for n in (5, 500):
        test = mcnemar_test(n, only_a=0, only_b=0)
        assert test.p_value == 1
        assert test.upper == pytest.approx(z2 / (n + z2))
        assert test.lower == pytest.approx(-z2 / (n + z2))


@given(st.integers(1, 60), st.integers(0, 60), st.integers(0, 60))
def test_bounds_hold_the_value_and_turn_with_the_networks(n: int, only_a: int, only_b: int) -> None:
    if only_a + only_b > n:
        with pytest.raises(UsageError, match=f"got {n} with {only_a} and {only_b}"):
            mcnemar_test(n, only_a=only_a, only_b=only_b)
        return
    test = mcnemar_test(n, only_a=only_a, only_b=only_b)
    assert test.lower is not None
    assert test.upper is not None
    assert -1 <= test.lower <= (only_b - only_a) / n <= test.upper <= 1
    assert test.upper - test.lower > 0.01
    turned = mcnemar_test(n, only_a=only_b, only_b=only_a)
    assert (turned.lower, turned.upper) == pytest.approx((-test.upper, -test.lower), abs=1e-7)
    assert turned.p_value == pytest.approx(test.p_value)


def test_it_covers_the_true_difference_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    drawn = random.multinomial(80, [0.75, 0.15, 0.1], size=600)  # concordant, only A, only B
    tests = [mcnemar_test(80, only_a=int(a), only_b=int(b)) for _, a, b in drawn]
    held = [t.lower is not None and t.upper is not None and t.lower <= -0.05 <= t.upper for t in tests]
    assert 0.92 < np.mean(held) < 0.98


def test_less_confidence_makes_a_narrower_interval_and_the_same_p_value() -> None:
    wide, narrow = (
        mcnemar_test(100, only_a=9, only_b=4, confidence=confidence) for confidence in (0.95, 0.9)
    )
    assert wide == mcnemar_test(100, only_a=9, only_b=4)
    assert None not in (wide.lower, narrow.lower)
    assert wide.lower < narrow.lower < -0.05 < narrow.upper < wide.upper  # type: ignore[operator]  # not None
    assert wide.p_value == narrow.p_value
