"""Checks the shares of right decisions against the policy's floors."""

from collections.abc import Iterator

from training.evaluate.predictions import Predictions
from training.promote.gate.policy import ClassFloors, Policy
from training.promote.gate.shares import bounded_share
from training.promote.gate.words import cases_named, needed
from training.promote.verdict import Check


def check_floors(predictions: Predictions, floors: dict[str, ClassFloors], policy: Policy) -> Iterator[Check]:
    """Yield a check for each floor of each class.

    Sensitivity is the share of the images of the class that are decided as it, specificity that of the other
    images that are not.

    Args:
        predictions: decisions as served.
        floors: by class.
        policy: gives the confidence, and the fewest cases that can tell.
    """
    patients = predictions.frame["patient_id"].astype(str).factorize()[0].astype("int64")
    for label, demanded in floors.items():
        place = predictions.labels.index(label)
        positive, reported = predictions.truth == place, predictions.decided == place
        for metric, floor, about, right in (
            ("sensitivity", demanded.sensitivity, positive, reported),
            ("specificity", demanded.specificity, ~positive, ~reported),
        ):
            if floor is None:
                continue
            name = f"{label} {metric}, floor"
            named = cases_named(label, metric)
            if not about.any():
                sentence = f"Cannot tell: the test split has no {named}; {policy.minimum_cases} are needed."
                yield Check(name=name, outcome="cannot_tell", sentence=sentence)
                continue
            confidence = floor.confidence or policy.confidence
            share = bounded_share(right[about], patients[about], confidence=confidence)
            enough = share.n >= policy.minimum_cases
            outcome = share.judge(floor.value) if enough else "cannot_tell"
            seen = (
                f"{metric} of {label} is {share.value:.3f} on {share.n} {named}, "
                f"surely between {share.lower:.3f} and {share.upper:.3f}"
            )
            numbers = {
                "value": share.value,
                "lower": share.lower,
                "upper": share.upper,
                "floor": floor.value,
                "n": share.n,
                "confidence": confidence,
                "method": share.method,
            }
            if outcome == "cannot_tell":
                more = share.further_cases(floor.value, confidence=confidence)
                numbers["further_cases"] = more
                ending = needed(more, share.n, policy.minimum_cases, named)
                sentence = f"Cannot tell whether it reaches {floor.value:.3f}: the {seen}. {ending}"
            elif outcome == "passed":
                sentence = f"The {seen}: not below {floor.value:.3f}."
            else:
                sentence = f"The {seen}: below the {floor.value:.3f} that are demanded."
            yield Check(name=name, outcome=outcome, sentence=sentence, numbers=numbers)
