"""A table of images counted for a first look: by what is known of them, and by class."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dashboard.language import mark, tr
from dashboard.look import label_name
from hilum.contract import LABELS

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "source": mark("source"),
    "view": mark("view"),
    "sex": mark("sex"),
    "age": mark("age (years)"),
    "split": mark("part of the data"),
    "kind": mark("kind of picture"),
}
"""What images can be told apart by, where their table says it."""

KNOWN = {
    "unknown": mark("not stated"),
    "male": mark("male"),
    "female": mark("female"),
    "lateral": mark("lateral"),
    "train": mark("to learn from (train)"),
    "val": mark("to choose by (val)"),
    "test": mark("to test on (test)"),
}
"""Groups that have a name in the reader's words; others are shown as the table says."""

UNLABELLED, NON_VALID = "unlabelled", "non_valid"

_IN_ORDER = ("train", "val", "test")
_LAST = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Counts:
    """Images and patients by group, named in the reader's words."""

    images: "pd.DataFrame"
    """Images by group (row) and class (column, by its own name)."""
    patients: "pd.Series[int]"
    """Patients by group."""


def class_name(name: str) -> str:
    """Return a class in the reader's words."""
    return tr("frontal film without such a label") if name == UNLABELLED else label_name(name)


def group_name(group: str) -> str:
    """Return a group in the reader's words."""
    return tr(KNOWN[group]) if group in KNOWN else group


def classes_of(frame: "pd.DataFrame") -> "pd.Series[str]":
    """Return the class of each row of a `metadata.csv`: a label, or one of the two that are none."""
    labelled = frame["finding"].where(frame["finding"].isin(LABELS), UNLABELLED)
    return labelled.where(frame["filter_label"] == "valid", NON_VALID)


def groups_of(frame: "pd.DataFrame") -> "dict[str, pd.Series[str]]":
    """Return, by column, the group of each image: the groups of an evaluation, and the parts of the data.

    Args:
        frame: N rows with `source`, and any other of `COLUMNS`. What says nothing is `unknown`; a column that
            says nothing at all, or the same of all, is left out.
    """
    from training.evaluate.subgroups import subgroups

    found = subgroups(frame)
    if "split" in frame:
        found["split"] = frame["split"]
    return {column: found[column] for column in COLUMNS if column in found}


def count(groups: "pd.Series[str]", classes: "pd.Series[str]", patients: "pd.Series[str]") -> Counts:
    """Return how many images and patients each group holds, the largest first; ages and parts in their order.

    Args:
        groups: (N,) one column of `groups_of`.
        classes: (N,) class of each image.
        patients: (N,) patient of each image.
    """
    import pandas as pd

    images = pd.crosstab(groups.to_numpy(), classes.to_numpy())
    known = [*LABELS, UNLABELLED, NON_VALID]
    images = images[[*(name for name in known if name in images), *images.columns.difference(known)]]
    totals = images.sum(axis=1)
    is_ordered = groups.name == "age" or set(totals.index) <= set(_IN_ORDER)

    def place(name: str) -> tuple[bool, float, str]:
        order = _IN_ORDER.index(name) if name in _IN_ORDER else 0
        return name == _LAST, float(order if is_ordered else -totals[name]), name

    rows = sorted(images.index, key=place)
    numbers = patients.groupby(groups.to_numpy()).nunique().loc[rows]
    images = images.loc[rows].rename(index=group_name)
    return Counts(images=images, patients=numbers.rename(index=group_name))


def association(frame: "pd.DataFrame", classes: "pd.Series[str]") -> float | None:
    """Return how close source and label go together, over the images that have a label (Cramér's V)."""
    from training.data.association import source_label_association

    is_labelled = ~np.isin(classes.to_numpy(str), (UNLABELLED, NON_VALID))
    return source_label_association(frame.loc[is_labelled, "source"], classes[is_labelled])
