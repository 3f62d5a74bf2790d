from dataclasses import replace

import numpy as np
import pytest

from training.evaluate.paired_cases import PairedCases
from training.promote.gate.noninferiority import check_noninferiority
from training.promote.gate.policy import Margins, NonInferiority, Policy
from training.promote.verdict import Check

LABELS = ("no_finding", "lung_opacity", "covid19", "rejected")
MARGINS = Margins(sensitivity=0.05, specificity=0.05, auroc=0.05)
POLICY = Policy(name="test", bootstrap=200, minimum_cases=20)


def cases(n_each: int, lost: int, *, seed: int = 0) -> PairedCases:
    """Return n cases of each label, of which the release decides `lost` COVID-19 ones wrongly."""
    random = np.random.default_rng(seed)
    truth = np.repeat(np.arange(3), n_each)
    decided = truth.copy()
    decided[len(truth) - lost : len(truth)] = 0
    sides = []
    for of_side in (truth, decided):
        logits = random.normal(size=(len(truth), 3))
        logits[np.arange(len(truth)), of_side] += 4
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        sides.append(np.column_stack([p, np.zeros(len(p))]))
    sources = np.where(np.arange(len(truth)) % 4 == 0, "small", "large")
    return PairedCases(LABELS, truth, np.arange(len(truth)), sources, (sides[0], sides[1]), (truth, decided))


def checked(paired: PairedCases, policy: Policy = POLICY) -> dict[str, Check]:
    return {check.name: check for check in check_noninferiority(paired, MARGINS, policy, champion=3)}


def test_every_class_and_metric_is_compared_and_nothing_else() -> None:
    policy = POLICY.model_copy(update={"non_inferiority": NonInferiority(sources="none")})
    assert set(checked(cases(60, 0), policy)) == {
        f"{label} {metric}, no worse than release 3"
        for label in LABELS[:3]
        for metric in ("sensitivity", "specificity", "AUROC")
    }


@pytest.mark.parametrize(("lost", "outcome"), [(0, "passed"), (5, "cannot_tell"), (40, "failed")])
def test_a_release_is_no_worse_surely_worse_or_neither(lost: int, outcome: str) -> None:
    check = checked(cases(100, lost))["covid19 sensitivity, no worse than release 3"]
    assert check.outcome == outcome
    assert check.numbers["difference"] == pytest.approx(-lost / 100)
    assert (check.numbers["only_champion_right"], check.numbers["only_release_right"]) == (lost, 0)


def test_what_cannot_be_told_says_how_many_more_cases_would_tell() -> None:
    check = checked(cases(71, 2))["covid19 sensitivity, no worse than release 3"]
    assert check.outcome == "cannot_tell"
    assert check.sentence == (
        "Cannot tell whether it is within the margin of 0.050: sensitivity of covid19 is 0.972, release 3 "
        "has 1.000 on the same 71 covid19 cases: -0.028, surely between -0.082 and +0.010. "
        "About 460 more covid19 cases would settle it."
    )  # (1.6449 + 0.8416)^2 * (3 / 73 - (2 / 73)^2) / (0.05 - 2 / 71)^2 = 523 cases, 71 of them at hand


def test_a_release_that_is_worse_by_an_unknown_amount_is_told_so() -> None:
    check = checked(cases(100, 6))["covid19 sensitivity, no worse than release 3"]
    assert check.outcome == "cannot_tell"
    assert "It is worse; by how much is not sure." in check.sentence


def test_sources_have_wider_margins_and_skip_what_they_have_too_few_cases_of() -> None:
    found = checked(cases(71, 2))
    assert found["covid19 sensitivity within source large, no worse than release 3"].numbers["margin"] == 0.1
    skipped = found["classifier within source small, no worse than release 3"]
    assert skipped.outcome == "skipped"
    assert "covid19 sensitivity (18)" in skipped.sentence
    assert "covid19 specificity within source small, no worse than release 3" in found


def test_named_sources_alone_are_compared() -> None:
    named = POLICY.model_copy(update={"non_inferiority": NonInferiority(sources=("large",))})
    assert not any("small" in name for name in checked(cases(71, 0), named))
    assert any("large" in name for name in checked(cases(71, 0), named))


def test_a_named_source_without_a_case_cannot_tell() -> None:
    named = POLICY.model_copy(update={"non_inferiority": NonInferiority(sources=("large", "lrage"))})
    check = checked(cases(71, 0), named)["classifier within source lrage, no worse than release 3"]
    assert check.outcome == "cannot_tell"
    assert "names the source lrage, and no classifier case of the test split comes from it" in check.sentence


def test_fewer_than_the_minimum_cannot_tell() -> None:
    wide = Margins(sensitivity=0.4, specificity=None, auroc=None)
    few, enough = (
        [check.outcome for check in check_noninferiority(cases(n, 0), wide, POLICY, champion=3)][:3]
        for n in (19, 20)
    )
    assert (few, enough) == (["cannot_tell"] * 3, ["passed"] * 3)


def test_a_class_without_a_case_cannot_tell() -> None:
    paired = cases(40, 0)
    found = checked(paired.take(paired.truth != 2))
    assert found["covid19 sensitivity, no worse than release 3"].outcome == "cannot_tell"
    assert found["covid19 AUROC, no worse than release 3"].outcome == "cannot_tell"


def test_images_of_one_patient_widen_the_bounds() -> None:
    paired = cases(100, 5)
    together = replace(paired, patients=np.arange(300) // 5)
    alone, shared = (
        checked(each)["covid19 sensitivity, no worse than release 3"].numbers for each in (paired, together)
    )
    assert shared["lower"] < alone["lower"]
    assert shared["method"] == "tango, effective number of images"
