"""How well the source of an image alone predicts its label: the shortcut that a network may take."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats.contingency import association

from hilum.contract import LABELS

CONFOUNDED_FROM = 0.5
"""Cramer's V from which the source is said to give the label away (a large effect: Cohen 1988, ch. 7)."""


@dataclass(frozen=True, slots=True)
class SourceShortcut:
    """What the source alone tells of one network's label, over all splits."""

    network: Literal["filter", "classifier"]
    """Whose label: `filter_label` of every image, or `finding` of the valid ones that have one."""
    n_images: int
    """Images of that network."""
    n_sources: int
    """Sources that they come from."""
    cramers_v: float | None
    """From 0, unrelated, to 1, each source holds one label; None with fewer than two sources or labels."""
    n_guessed: int
    """Images of `val` and `test` that the two guesses below are counted on."""
    guess_accuracy: float | None
    """Share of them that carry the commonest label which their source has in `train` (of all of `train`,
    where the source has none there); None where `train`, or the rest, is empty."""
    base_rate: float | None
    """Share of them that carry the commonest label of `train`: what knowing nothing achieves."""

    @property
    def is_high(self) -> bool:
        """Whether a network that only recognised the source would score high."""
        return self.cramers_v is not None and self.cramers_v >= CONFOUNDED_FROM

    def __str__(self) -> str:
        """Return the finding as a sentence or two for a reader."""
        if self.cramers_v is None:
            return (
                f"{self.network}: fewer than two sources or labels, so the source tells nothing of the label."
            )
        strength = "nearly gives the label away" if self.is_high else "does not give the label away"
        sentence = f"{self.network}: the source {strength} (Cramer's V {self.cramers_v:.2f})"
        if self.guess_accuracy is None or self.base_rate is None:
            return f"{sentence}."
        return (
            f"{sentence}: guessing the commonest label of each source is right for {self.guess_accuracy:.0%} "
            f"of the {self.n_guessed} val and test images, always the commonest label for "
            f"{self.base_rate:.0%}."
        )


def source_label_association(sources: ArrayLike, labels: ArrayLike) -> float | None:
    """Return Cramer's V between (N,) sources and (N,) labels.

    V = sqrt(chi^2 / (N min(rows - 1, columns - 1))) of their contingency table (Cramer 1946, section 21.9):
    0 where they are unrelated, 1 where each source holds one label.

    Returns:
        None with fewer than two sources or two labels.
    """
    table = pd.crosstab(np.asarray(sources), np.asarray(labels))
    return float(association(table.to_numpy(), method="cramer")) if min(table.shape) > 1 else None


def source_shortcuts(frame: pd.DataFrame) -> Iterator[SourceShortcut]:
    """Yield the shortcut of each network for which the rows of a `metadata.csv` hold an image."""
    valid = frame[(frame["filter_label"] == "valid") & frame["finding"].isin(LABELS)]
    rows = frame[frame["filter_label"].isin(("valid", "non_valid"))]
    if len(rows):
        yield _measure("filter", rows.assign(label=rows["filter_label"]))
    if len(valid):
        yield _measure("classifier", valid.assign(label=valid["finding"]))


def _measure(network: Literal["filter", "classifier"], rows: pd.DataFrame) -> SourceShortcut:
    """Measure rows with the columns source, label and split."""
    known, guessed = rows[rows["split"] == "train"], rows[rows["split"].isin(("val", "test"))]
    guess = base = None
    if len(known) and len(guessed):
        commonest = _commonest(known["label"])
        by_source = known.groupby("source")["label"].agg(_commonest)
        guesses = guessed["source"].map(by_source).fillna(commonest)
        guess = float((guesses == guessed["label"]).mean())
        base = float((guessed["label"] == commonest).mean())
    return SourceShortcut(
        network=network,
        n_images=len(rows),
        n_sources=rows["source"].nunique(),
        cramers_v=source_label_association(rows["source"], rows["label"]),
        n_guessed=len(guessed),
        guess_accuracy=guess,
        base_rate=base,
    )


def _commonest(labels: "pd.Series[str]") -> str:
    """Return the label that occurs most often; of several, the first in the alphabet."""
    return str(labels.mode().iloc[0])
