"""The numbers of an evaluation under the names that published tables use, such as `covid19.sensitivity`."""

from collections.abc import Mapping
from dataclasses import replace

from training.evaluate.evaluation import Metric, Scope
from training.evaluate.intervals import Estimate, wilson_estimate

OF_A_CLASS: tuple[Metric, ...] = ("sensitivity", "specificity", "precision", "f1", "auroc")
"""Metrics of one class against the rest."""

OF_ALL: Mapping[str, Metric] = {
    "accuracy": "accuracy",
    "macro_precision": "macro_precision",
    "macro_sensitivity": "macro_recall",
    "macro_specificity": "macro_specificity",
    "macro_f1": "macro_f1",
}
"""Metrics over all classes, by published name."""


def measure_names(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return every name that numbers can have for these classes, in the order of a table.

    `accuracy_2_class` is COVID-19 against the rest (Apostolopoulos and Mpesiana 2020, "Metrics"). Of two
    classes the second is the positive one, whose metrics need no class name.
    """
    return tuple(_sources(labels))


def estimates_by_name(scope: Scope, labels: tuple[str, ...]) -> dict[str, Estimate]:
    """Return the numbers of an evaluation by the names of `measure_names`."""
    return {
        name: (scope.per_class[label] if label else scope.overall)[metric]
        for name, (label, metric) in _sources(labels).items()
    }


def _sources(labels: tuple[str, ...]) -> dict[str, tuple[str, Metric]]:
    """Return, by name, the class (empty for all of them) and the evaluation's own name of the metric."""
    reported = labels[1:] if len(labels) == 2 else labels
    sources: dict[str, tuple[str, Metric]] = {name: ("", metric) for name, metric in OF_ALL.items()}
    if len(labels) == 2:
        sources |= {"accuracy_2_class": ("", "accuracy")}
        sources |= {metric: (labels[1], metric) for metric in OF_A_CLASS}
    else:
        sources |= {"auroc": ("", "macro_auroc")}
        if "covid19" in labels:
            sources |= {"accuracy_2_class": ("", "two_class_accuracy")}
    return sources | {f"{label}.{metric}": (label, metric) for label in reported for metric in OF_A_CLASS}


def counted_once(name: str, estimate: Estimate, share: float) -> Estimate:
    """Return an estimate whose n and interval count each image once, though several networks saw it.

    What 50 networks say of one image are not 50 images. Wilson's interval becomes that of the same proportion
    of n x `share` images; the one of an F1 score, which is made of a proportion that is not known here, is
    dropped. A bootstrap draws all that was said of a patient together, and stays as it is.

    Args:
        name: as in `measure_names`.
        estimate: of all that was said.
        share: distinct images among all that was said, in (0, 1].
    """
    if share == 1 or estimate.value is None:
        return estimate
    n = max(1, round(estimate.n * share))
    if estimate.method != "wilson":
        return replace(estimate, n=n)
    if name.endswith("f1"):
        return Estimate(estimate.value, None, None, n, "none")
    interval = wilson_estimate(round(estimate.value * n), n)
    return replace(interval, value=estimate.value)
