"""Rates of each class, and their micro and macro averages, from confusion matrices.

Of K classes, class c has TP_c images decided as it rightly, FP_c wrongly, FN_c images of its own decided as
another, and TN_c others. Its rates are

    precision TP / (TP + FP), recall (sensitivity) TP / (TP + FN), specificity TN / (TN + FP),
    F1 = 2 TP / (2 TP + FP + FN).

A macro average is the mean of a rate over classes, a micro average the rate of the summed counts: both as in
scikit-learn, except that a rate without denominator is undefined here (NaN) and 0 there.

Civit-Masot et al. 2020 name them otherwise. Their equations 1 to 3 print the macro averages without the
1 / K. Equation 4 makes the macro F1 of the macro precision and recall (`macro_f1_of_means`: "F1 of averages"
in Opitz and Burst 2019), not as the mean of F1 (`macro_f1`). What tables 3 and 4 call "micro average metrics
for each class" are the rates of single classes; a micro average has no class. Where each image is decided as
one class, micro precision, recall and F1 are all the accuracy.
"""

from typing import Literal

import numpy as np

from training.evaluate.metrics import Floats, divide

Rate = Literal["precision", "recall", "specificity", "f1"]
Macro = Literal["macro_precision", "macro_recall", "macro_specificity", "macro_f1", "macro_f1_of_means"]


def class_rates(confusion: Floats) -> dict[Rate, Floats]:
    """Return (B, K) rates of each class, from (B, K, K) weights by true (row) and decided class (column).

    A rate is NaN where its denominator is 0: a class without weight, or never decided.
    """
    true_positives = np.diagonal(confusion, axis1=1, axis2=2)
    own, decided = confusion.sum(axis=2), confusion.sum(axis=1)
    others = confusion.sum(axis=(1, 2))[:, None] - own
    return {
        "precision": divide(true_positives, decided),
        "recall": divide(true_positives, own),
        "specificity": divide(others - (decided - true_positives), others),
        "f1": divide(2 * true_positives, own + decided),
    }


def macro_averages(confusion: Floats) -> dict[Macro, Floats]:
    """Return (B,) macro averages of (B, K, K) confusion matrices; NaN where one class's rate is.

    `macro_recall` is also called balanced accuracy (Brodersen et al. 2010).
    """
    rates = class_rates(confusion)
    precision, recall = rates["precision"].mean(axis=1), rates["recall"].mean(axis=1)
    return {
        "macro_precision": precision,
        "macro_recall": recall,
        "macro_specificity": rates["specificity"].mean(axis=1),
        "macro_f1": rates["f1"].mean(axis=1),
        "macro_f1_of_means": divide(2 * precision * recall, precision + recall),
    }
