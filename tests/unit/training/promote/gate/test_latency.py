import numpy as np
import pytest
from scipy.stats import ttest_1samp

from training.promote.gate.latency import BlockTimes, judge_latency
from training.promote.gate.policy import LatencyRules, Policy

POLICY = Policy(name="test", latency=LatencyRules(ratio=1.25))


def times(ratio: float, *, noise: float = 0.02, rounds: int = 12) -> BlockTimes:
    random = np.random.default_rng(0)
    champion = 0.01 * np.exp(random.normal(0, 0.3, rounds))  # the machine's own ups and downs
    return BlockTimes(champion * ratio * np.exp(random.normal(0, noise, rounds)), champion)


@pytest.mark.parametrize(
    ("ratio", "noise", "outcome"),
    [(1.0, 0.02, "passed"), (2.0, 0.02, "failed"), (1.2, 0.4, "cannot_tell"), (0.5, 0.02, "passed")],
)
def test_a_release_is_fast_enough_too_slow_or_neither(ratio: float, noise: float, outcome: str) -> None:
    assert judge_latency(times(ratio, noise=noise), POLICY, 3).outcome == outcome


def test_the_bounds_are_those_of_students_test() -> None:
    measured = times(1.1, noise=0.1)
    numbers = judge_latency(measured, POLICY, 3).numbers
    logarithms = np.log(measured.release_s / measured.champion_s)
    expected = ttest_1samp(logarithms, 0).confidence_interval(0.9)
    assert numbers["latency_ratio"] == pytest.approx(np.exp(logarithms.mean()))
    assert (numbers["lower"], numbers["upper"]) == pytest.approx(
        (np.exp(expected.low), np.exp(expected.high))
    )


def test_what_slows_the_machine_down_slows_both() -> None:
    steady = judge_latency(times(1.0), POLICY, 3).numbers
    assert steady["upper"] - steady["lower"] < 0.05, "the noise of the machine is in the ratio"


def test_noise_asks_for_more_rounds() -> None:
    check = judge_latency(times(1.2, noise=0.4), POLICY, 3)
    assert "more rounds (latency.rounds in the policy) would settle it." in check.sentence
