"""Compares the answering times of two releases on this machine, whatever else it is doing.

Times of one machine at one moment mean nothing elsewhere; their ratio to the champion's does. Short blocks of
both releases take turns, so that what slows the machine down slows both, and each pair of blocks gives one
ratio. Its order alternates, so that neither release always comes second.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np
from scipy.stats import t

from training.evaluate.metrics import Floats
from training.promote.gate.bounds import Bounded
from training.promote.gate.front_door import FrontDoor
from training.promote.gate.policy import LatencyRules, Policy
from training.promote.gate.words import needed
from training.promote.verdict import Check


@dataclass(frozen=True, slots=True)
class BlockTimes:
    """Median answering times, block by block."""

    release_s: Floats
    """(R,) of the release, in seconds."""
    champion_s: Floats
    """(R,) of the champion's block that was measured beside it."""


def measure_latency(
    release: FrontDoor, champion: FrontDoor, images: Sequence[bytes], rules: LatencyRules
) -> BlockTimes:
    """Ask both releases the same images, one request at a time, in blocks that take turns.

    Args:
        release: front door of the release.
        champion: front door of the champion.
        images: files that both filters accept, one or more; each block takes the next ones, in a circle.
        rules: give blocks and requests.
    """
    doors = (release, champion)
    for door in doors:
        _block(door, images, 0, rules.requests)  # the first answers of a server are slow ones
    medians = np.empty((rules.rounds, 2))
    for number in range(rules.rounds):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            medians[number, side] = _block(doors[side], images, number * rules.requests, rules.requests)
    return BlockTimes(medians[:, 0], medians[:, 1])


def judge_latency(times: BlockTimes, policy: Policy, champion: int) -> Check:
    """Judge the ratio of two releases' answering times: the geometric mean of the blocks' ratios.

    Its bounds are Student's, of the mean of the logarithms, one-sided at the policy's confidence.
    """
    allowed = policy.latency.ratio
    ratios = np.log(times.release_s / times.champion_s)
    rounds, mean, spread = len(ratios), float(ratios.mean()), float(ratios.std(ddof=1))
    margin = float(t.ppf(policy.confidence, rounds - 1)) * spread / rounds**0.5
    # Turned round: the bounds say whether a value is at least so large, and a ratio must be at most that.
    speed = Bounded(
        value=-mean,
        lower=-mean - margin,
        upper=-mean + margin,
        n=rounds,
        variance_per_case=spread**2,
        method="student, of the logarithm",
    )
    lower, upper, ratio = exp(-speed.upper), exp(-speed.lower), exp(mean)
    outcome = speed.judge(-log(allowed))
    seen = (
        f"One request takes {1000 * float(np.median(times.release_s)):.1f} ms, release {champion} "
        f"{1000 * float(np.median(times.champion_s)):.1f} ms on this machine: {ratio:.2f} times as long, "
        f"surely between {lower:.2f} and {upper:.2f}"
    )
    numbers: dict[str, float | None] = {
        "latency_ratio": ratio,
        "lower": lower,
        "upper": upper,
        "allowed": allowed,
        "rounds": rounds,
        "release_ms": 1000 * float(np.median(times.release_s)),
        "champion_ms": 1000 * float(np.median(times.champion_s)),
    }
    if outcome == "cannot_tell":
        more = speed.further_cases(-log(allowed), confidence=policy.confidence)
        numbers["further_cases"] = more
        sentence = f"{seen}. Cannot tell whether that is within {allowed:.2f}. " + needed(
            more, rounds, rounds, "rounds (latency.rounds in the policy)"
        )
    else:
        sentence = f"{seen}; {allowed:.2f} times are allowed."
    return Check(name="latency", outcome=outcome, sentence=sentence, numbers=numbers)


def _block(door: FrontDoor, images: Sequence[bytes], start: int, requests: int) -> float:
    """Return the median time of a block of requests, in seconds."""
    times = []
    for number in range(start, start + requests):
        began = time.perf_counter()
        door.ask(images[number % len(images)])
        times.append(time.perf_counter() - began)
    return float(np.median(times))
