from dataclasses import replace

import pytest
from statsmodels.stats.multitest import multipletests

from tests.support.paired_predictions import DIFFERENCE
from training.evaluate.differences import adjusted_by_holm, holm


@pytest.mark.parametrize(
    "p_values", [[0.01], [0.01, 0.04, 0.03], [0.2, 0.001, 0.6, 0.03, 0.03], [0.5, 0.9, 0.7]]
)
def test_holm_equals_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist())


def test_a_missing_p_value_does_not_count() -> None:
    assert holm([None, 0.01, None, 0.04]) == [None, 0.02, None, 0.04]
    assert holm([]) == []


def test_several_sets_of_cases_are_one_family() -> None:
    one, two = adjusted_by_holm(
        [
            [replace(DIFFERENCE, p_value=0.01), replace(DIFFERENCE, p_value=None)],
            [replace(DIFFERENCE, p_value=0.02)],
        ]
    )
    assert [difference.p_adjusted for difference in (*one, *two)] == [0.02, None, 0.02]


def test_a_difference_reads_as_value_and_interval() -> None:
    assert str(DIFFERENCE) == "+0.020 (-0.010 to +0.050)"
    assert (
        str(replace(DIFFERENCE, value=-0.0004, lower=-0.0012, upper=0.0004)) == "-0.0004 (-0.0012 to +0.0004)"
    )
    assert str(replace(DIFFERENCE, lower=None, upper=None)) == "+0.020"
    assert str(replace(DIFFERENCE, value=None)) == "not defined"


@pytest.mark.parametrize(
    ("lower", "upper", "favoured"),
    [(-0.01, 0.05, None), (0.01, 0.05, "b"), (-0.05, -0.01, "a"), (0.0, 0.1, None), (None, None, None)],
)
def test_it_favours_a_network_only_where_the_interval_leaves_zero_out(
    lower: float | None, upper: float | None, favoured: str | None
) -> None:
    assert replace(DIFFERENCE, lower=lower, upper=upper).favours == favoured
