from dataclasses import replace

import numpy as np
import pytest

from tests.support.predictions import CLASSES, synthetic_predictions
from training.evaluate.predictions import Predictions
from training.promote.gate.floors import check_floors
from training.promote.gate.policy import ClassFloors, Floor, Policy
from training.promote.verdict import Check

POLICY = Policy(name="test", minimum_cases=10)


def decisions(n: int, n_right: int) -> Predictions:
    """Return n cases of each class, of which n_right of COVID-19 are decided as it and the others rightly."""
    base = synthetic_predictions(CLASSES, n_images=3 * n)
    truth = np.repeat(np.arange(3), n)
    decided = truth.copy()
    decided[2 * n + n_right :] = 0
    frame = base.frame.assign(patient_id=[str(index) for index in range(3 * n)])
    return replace(base, truth=truth, decided=decided, frame=frame)


def checked(n: int, n_right: int, floor: float = 0.8, policy: Policy = POLICY) -> dict[str, Check]:
    floors = {"covid19": ClassFloors(sensitivity=Floor(value=floor), specificity=None)}
    return {check.name: check for check in check_floors(decisions(n, n_right), floors, policy)}


@pytest.mark.parametrize(("n_right", "outcome"), [(98, "passed"), (83, "cannot_tell"), (50, "failed")])
def test_a_floor_is_surely_reached_surely_missed_or_neither(n_right: int, outcome: str) -> None:
    [check] = checked(100, n_right).values()
    assert (check.name, check.outcome) == ("covid19 sensitivity, floor", outcome)


def test_too_few_cases_say_how_many_more_would_tell() -> None:
    [check] = checked(100, 83).values()
    # (1.6449 + 0.8416)^2 * 0.8267 * 0.1733 / 0.03^2 = 984.4 cases, 100 of them at hand.
    assert check.numbers["further_cases"] == 890
    assert check.sentence == (
        "Cannot tell whether it reaches 0.800: the sensitivity of covid19 is 0.830 on 100 covid19 cases, "
        "surely between 0.760 and 0.883. About 890 more covid19 cases would settle it."
    )


def test_fewer_than_the_minimum_cannot_tell_however_clear_they_look() -> None:
    [check] = checked(9, 9, floor=0.3).values()
    assert check.outcome == "cannot_tell"
    assert "About 1 more" in check.sentence


def test_a_class_without_a_case_cannot_tell() -> None:
    predictions = decisions(20, 20)
    without = predictions.take(predictions.frame["path"].map(lambda _: True) & (predictions.truth != 2))
    [check] = check_floors(without, {"covid19": ClassFloors(specificity=None)}, POLICY)
    assert check.outcome == "cannot_tell"
    assert check.sentence == "Cannot tell: the test split has no covid19 cases; 10 are needed."


def test_a_floor_that_is_null_demands_nothing() -> None:
    nothing = {"covid19": ClassFloors(sensitivity=None, specificity=None)}
    assert list(check_floors(decisions(20, 1), nothing, POLICY)) == []


def test_a_floors_own_confidence_counts() -> None:
    policy = POLICY.model_copy(update={"confidence": 0.8})
    strict = {"covid19": ClassFloors(sensitivity=Floor(value=0.8, confidence=0.999), specificity=None)}
    loose = {"covid19": ClassFloors(sensitivity=Floor(value=0.8), specificity=None)}
    outcomes = [next(check_floors(decisions(100, 86), floors, policy)).outcome for floors in (strict, loose)]
    assert outcomes == ["cannot_tell", "passed"]
