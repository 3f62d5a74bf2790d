"""What measured numbers are called, in the reader's words."""

from dashboard.language import mark, tr
from dashboard.look import label_name

NAMES = {
    "auroc": mark("AUROC"),
    "macro_auroc": mark("AUROC, mean of the classes"),
    "average_precision": mark("average precision"),
    "sensitivity": mark("sensitivity"),
    "specificity": mark("specificity"),
    "precision": mark("precision"),
    "f1": mark("F1"),
    "accuracy": mark("accuracy"),
    "accuracy_2_class": mark("accuracy, COVID-19 against the rest"),
    "balanced_accuracy": mark("balanced accuracy"),
    "macro_precision": mark("precision, mean of the classes"),
    "macro_sensitivity": mark("sensitivity, mean of the classes"),
    "macro_specificity": mark("specificity, mean of the classes"),
    "macro_f1": mark("F1, mean of the classes"),
    "ece": mark("calibration error"),
    "brier": mark("Brier score"),
}
"""By the names of evaluations, studies and published tables."""

OF_A_CLASS = ("auroc", "sensitivity", "specificity", "precision")
"""What the page shows of each class."""

OVERALL = ("accuracy", "balanced_accuracy", "macro_auroc", "macro_f1", "ece", "brier")
"""And of all classes together, where an evaluation has it."""


def measure_name(name: str) -> str:
    """Return a measure's name, of a class where it begins with one: `covid19.sensitivity`."""
    label, _, metric = name.rpartition(".")
    known = tr(NAMES[metric]) if metric in NAMES else metric.replace("_", " ")
    return f"{label_name(label)}: {known}" if label else known
