"""`python -m tests.bench.gate_power`: how often the gate's paired comparison errs, and what it takes to tell.

Simulates the decisions of a champion and a release on the same cases of COVID-19, and judges each simulation
as the gate does. Prints a table and one JSON line; the numbers of docs/gate.md come from here.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from rich.table import Table

from hilum.console import stderr, stdout, track
from training.evaluate.differences import Difference
from training.promote.gate.differences import bounded_share_difference
from training.promote.gate.policy import Policy
from training.promote.gate.shares import design_effect

CASES = (71, 200, 1000)
"""Cases of the class; 71 are in the test split of the data that Hilum was measured on."""

SENSITIVITY = 0.9
"""The champion's, and an equal release's."""

DROP = 0.05
"""What a worse release truly loses."""

DISCORDANT = 0.1
"""Share of the cases on which two networks of one recipe decide differently."""

SIMULATIONS = 2000
IMAGES_PER_PATIENT = 3

ONLY_CHAMPION, ONLY_RELEASE = 1, 2
"""Kinds of cases: of four, both right, only one of the two right, neither right."""

CONFIDENCE = Policy(name="default").confidence

DIFFERENCE = Difference(
    metric="sensitivity",
    label="covid19",
    n=0,
    n_patients=0,
    a=None,
    b=None,
    value=None,
    lower=None,
    upper=None,
    test="mcnemar",
    test_lower=None,
    test_upper=None,
    p_value=None,
)
"""What a simulation fills in."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the table."""

    drop: float
    """By how much the release's true sensitivity is lower."""
    n: int
    """Cases."""
    images_per_patient: int
    """1, or several that are decided alike with a chance of one half."""
    margin: float


def main() -> None:
    """Simulate every setting."""
    margins = Policy(name="default").non_inferiority.classifier
    assert margins.sensitivity is not None
    settings = [
        Setting(drop, n, images, margin)
        for images in (1, IMAGES_PER_PATIENT)
        for margin in (margins.sensitivity, 2 * margins.sensitivity)
        for drop in (0.0, DROP, 2 * DROP)
        for n in CASES
    ]
    table = Table("True drop", "Cases", "Images each", "Margin", "Passed", "Failed", "Cannot tell")
    record: dict[str, dict[str, float]] = {}
    for setting in track(settings, "simulating", total=len(settings)):
        shares = outcome_shares(setting)
        name = (
            f"drop_{setting.drop}_n_{setting.n}_images_{setting.images_per_patient}_margin_{setting.margin}"
        )
        record[name] = shares
        cells = [f"{100 * shares[outcome]:.1f} %" for outcome in ("passed", "failed", "cannot_tell")]
        table.add_row(
            f"{setting.drop:.2f}",
            str(setting.n),
            str(setting.images_per_patient),
            f"{setting.margin:.2f}",
            *cells,
        )
    stdout.print(table)
    print(json.dumps({"bench": "gate_power", "simulations": SIMULATIONS, **record}))
    wrongly_passed = [
        name
        for setting, name in zip(settings, record, strict=True)
        if setting.drop >= setting.margin and record[name]["passed"] > 0.075
    ]
    if wrongly_passed:
        stderr.print(f"Passes too often although the drop is the margin: {', '.join(wrongly_passed)}.")
        sys.exit(1)


def outcome_shares(setting: Setting) -> dict[str, float]:
    """Return how often each outcome came."""
    random = np.random.default_rng(0)
    outcomes = Counter(_outcomes(setting, random))
    return {outcome: outcomes[outcome] / SIMULATIONS for outcome in ("passed", "failed", "cannot_tell")}


def _outcomes(setting: Setting, random: np.random.Generator) -> Iterator[str]:
    only_champion, only_release = (DISCORDANT + setting.drop) / 2, (DISCORDANT - setting.drop) / 2
    both = SENSITIVITY - only_champion
    kinds = (both, only_champion, only_release, 1 - both - only_champion - only_release)
    each = setting.images_per_patient
    n_patients = -(-setting.n // each)
    patients = np.repeat(np.arange(n_patients), each)[: setting.n]
    for _ in range(SIMULATIONS):
        kind = random.choice(4, size=setting.n, p=kinds)
        if each > 1:  # half of a patient's images are decided as one
            shared = random.choice(4, size=n_patients, p=kinds)[patients]
            kind = np.where(random.random(setting.n) < 0.5, shared, kind)
        gains = (kind == ONLY_RELEASE).astype(np.float64) - (kind == ONLY_CHAMPION)
        effect = design_effect(gains, patients)
        only_a, only_b = int((gains < 0).sum()), int((gains > 0).sum())
        yield _judged(setting.n, n_patients, only_a, only_b, effect, setting.margin)


@cache
def _judged(
    n: int, n_patients: int, only_champion: int, only_release: int, effect: float, margin: float
) -> str:
    """Return the gate's outcome."""
    value = (only_release - only_champion) / n
    difference = replace(
        DIFFERENCE, n=n, n_patients=n_patients, value=value, only_a=only_champion, only_b=only_release
    )
    return bounded_share_difference(difference, effect=effect, confidence=CONFIDENCE).judge(-margin)


if __name__ == "__main__":
    main()
