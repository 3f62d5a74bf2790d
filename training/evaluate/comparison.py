"""Two networks compared on the same cases: the whole split, and each source by itself.

A single training run has its own luck: two networks of one recipe and two seeds differ too. What is judged
here is these two networks, not the recipes behind them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hilum.errors import UsageError
from training.evaluate.differences import Difference, adjusted_by_holm
from training.evaluate.evaluation import MIN_BOOTSTRAP
from training.evaluate.paired_cases import PairedCases, pair
from training.evaluate.paired_measures import measure_differences
from training.evaluate.predictions import Predictions
from training.evaluate.verdict import Verdict, judge

FEW_PATIENTS = 30
"""Patients of a class below which a reader is warned: percentile intervals are then too narrow."""

FEWEST_DISCORDANT = 6
"""Discordant images below which McNemar's exact p value cannot fall below 0.05, whatever they say."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How network B differs from network A."""

    labels: tuple[str, ...]
    """Names of the K classes."""
    n_images: int
    """Cases compared."""
    n_patients: int
    """Patients they come from."""
    n_bootstrap: int
    """Resamplings of the patients."""
    seed: int
    """Seed of the resamplings."""
    whole: tuple[Difference, ...]
    """All cases together; their p values are one family for Holm's adjustment."""
    sources: Mapping[str, tuple[Difference, ...]]
    """Each source by itself; the p values of all sources are a second family."""
    verdict: Verdict
    """On the headline, the one difference fixed beforehand."""
    warnings: tuple[str, ...]
    """Sentences that a reader of the numbers must know."""

    @property
    def headline(self) -> Difference:
        """The difference that the verdict is about: AUROC of the positive class, or macro AUROC."""
        return _headline(self.whole)

    def as_dict(self) -> dict[str, Any]:
        """Return all fields, and the headline, as objects that JSON can carry."""
        return asdict(self) | {"headline": asdict(self.headline)}


def compare(a: Predictions, b: Predictions, *, n_bootstrap: int = 1000, seed: int = 0) -> Comparison:
    """Compare two networks on the same cases, matched by image and turn.

    Args:
        a: predictions of the first network.
        b: predictions of the second, in any order.
        n_bootstrap: resamplings of the patients, 100 or more.
        seed: of the resamplings; the same seed gives the same intervals.

    Raises:
        UsageError: the cases or their labels differ, or there are too few resamplings.
    """
    if n_bootstrap < MIN_BOOTSTRAP:
        raise UsageError(f"Give {MIN_BOOTSTRAP} or more bootstrap resamplings, got {n_bootstrap}.")
    cases = pair(a, b)
    names = sorted(set(cases.sources))
    [whole] = adjusted_by_holm([measure_differences(cases, n_bootstrap=n_bootstrap, seed=seed)])
    by_source = adjusted_by_holm(
        [
            measure_differences(cases.take(cases.sources == name), n_bootstrap=n_bootstrap, seed=seed)
            for name in names
        ]
    )
    sources = dict(zip(names, by_source, strict=True))
    verdict = judge(_headline(whole))
    return Comparison(
        labels=cases.labels,
        n_images=len(cases.truth),
        n_patients=len(np.unique(cases.patients)),
        n_bootstrap=n_bootstrap,
        seed=seed,
        whole=whole,
        sources=sources,
        verdict=verdict,
        warnings=tuple(_warnings(cases, whole, sources, verdict)),
    )


def _headline(differences: tuple[Difference, ...]) -> Difference:
    """Return the macro AUROC's difference, or the AUROC's where one class is reported."""
    aurocs = [difference for difference in differences if difference.metric in ("auroc", "macro_auroc")]
    return next((found for found in aurocs if found.metric == "macro_auroc"), aurocs[0])


def _warnings(
    cases: PairedCases,
    whole: tuple[Difference, ...],
    sources: Mapping[str, tuple[Difference, ...]],
    verdict: Verdict,
) -> Iterator[str]:
    """Yield what makes the numbers weaker than they look."""
    n_patients = len(np.unique(cases.patients))
    if n_patients < len(cases.truth):
        yield (
            f"{len(cases.truth)} images come from {n_patients} patients: DeLong's and McNemar's tests take "
            "images for independent, and their p values tend to be too small. Read the intervals from "
            "resampling patients."
        )
    for k, label in enumerate(cases.labels):
        rows = cases.truth == k
        if (n := cases.n_patients(rows)) < FEW_PATIENTS:
            yield (
                f"Only {int(rows.sum())} images of {n} patients are labelled {label}: intervals from so few "
                "are too narrow, and the next patients may say otherwise."
            )
    shares = [d for d in whole if d.only_a is not None and d.only_b is not None and d.n]
    few = [d for d in shares if (d.only_a or 0) + (d.only_b or 0) < FEWEST_DISCORDANT]
    if few:
        named = ", ".join(f"{d.metric} {d.label}".strip() for d in few)
        yield (
            f"Fewer than {FEWEST_DISCORDANT} images are decided rightly by one network only ({named}): "
            "McNemar's test cannot reach p < 0.05 there, whatever they say."
        )
    reversed_in = [
        name
        for name, found in sources.items()
        if verdict.preferred and _favours_other(found, verdict.preferred)
    ]
    if reversed_in:
        yield (
            f"The other network is the better one within {', '.join(reversed_in)}: which to prefer depends "
            "on where the images come from."
        )


def _favours_other(found: tuple[Difference, ...], preferred: str) -> bool:
    """Answer whether a source's own headline speaks for the network that is not preferred."""
    favoured = _headline(found).favours
    return favoured is not None and favoured != preferred
