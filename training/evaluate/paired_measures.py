"""Measures two networks on the same cases, and how far they differ in each metric."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.evaluate.delong import MIN_IMAGES, DelongAuroc, delong_test
from training.evaluate.differences import ALL_CLASSES, Difference
from training.evaluate.intervals import CONFIDENCE, bootstrap_estimate, bootstrap_replicates
from training.evaluate.mcnemar import mcnemar_test
from training.evaluate.metrics import Booleans, Floats, Integers, Ranking, Weights, divide
from training.evaluate.paired_cases import PairedCases
from training.evaluate.paired_test import UNTESTED


def measure_differences(
    cases: PairedCases, *, n_bootstrap: int, seed: int, confidence: float = CONFIDENCE
) -> tuple[Difference, ...]:
    """Return how B differs from A in each metric, by class.

    For each reported class its AUROC, sensitivity and specificity; last, over all classes, the accuracy and
    with more than two of them the macro AUROC (the mean over the classes).

    Args:
        cases: N, 1 or more.
        n_bootstrap: resamplings of the patients.
        seed: of the resamplings, which are the same for all metrics and for both networks.
        confidence: of every interval.
    """
    aurocs = [_Auroc.of(cases, k) for k in cases.reported]
    shares = list(_shares(cases))
    numerators = np.stack([share.gains for share in shares], axis=1).astype(np.float64)
    denominators = np.stack([share.about for share in shares], axis=1).astype(np.float64)

    def resampled(weights: Weights) -> Floats:
        gains = divide(weights @ numerators, weights @ denominators)
        return np.column_stack([*(auroc.differences(weights) for auroc in aurocs), gains])

    replicates = bootstrap_replicates(resampled, cases.patients, n_bootstrap=n_bootstrap, seed=seed)
    of_aurocs, of_shares = replicates[:, : len(aurocs)], replicates[:, len(aurocs) :]
    found = [_auroc_difference(cases, [auroc], of_aurocs[:, i], confidence) for i, auroc in enumerate(aurocs)]
    if len(aurocs) > 1:
        found.append(_auroc_difference(cases, aurocs, of_aurocs.mean(axis=1), confidence))
    found += [_share_difference(cases, share, of_shares[:, i], confidence) for i, share in enumerate(shares)]
    place = {label: place for place, label in enumerate((*cases.labels, ALL_CLASSES))}
    return tuple(sorted(found, key=lambda difference: place[difference.label]))


@dataclass(frozen=True, slots=True)
class _Auroc:
    """Both networks' AUROC of one class against the rest."""

    label: str
    positive: Booleans
    """(N,) whether each case belongs to the class."""
    rankings: tuple[Ranking, Ranking]
    """The cases by A's, and by B's, probability of the class."""
    delong: tuple[DelongAuroc, DelongAuroc] | None
    """Of A and of B; None where the class or the rest has too few cases for a variance."""

    @classmethod
    def of(cls, cases: PairedCases, k: int) -> "_Auroc":
        positive = cases.truth == k
        a, b = (probabilities[:, k] for probabilities in cases.probabilities)
        enough = MIN_IMAGES <= positive.sum() <= len(positive) - MIN_IMAGES
        delong = (DelongAuroc.of(a, positive), DelongAuroc.of(b, positive)) if enough else None
        return cls(cases.labels[k], positive, (Ranking.of(a, positive), Ranking.of(b, positive)), delong)

    def values(self) -> tuple[float, float]:
        """Return the AUROC of A and of B; NaN where the class or the rest has no case."""
        once = np.ones((1, len(self.positive)), dtype=np.int32)
        a, b = (float(ranking.auroc(once)[0]) for ranking in self.rankings)
        return a, b

    def differences(self, weights: Weights) -> Floats:
        """Return (b,) differences B - A under (b, N) weights."""
        a, b = self.rankings
        return b.auroc(weights) - a.auroc(weights)


@dataclass(frozen=True, slots=True)
class _Share:
    """The share of right decisions among some of the cases."""

    metric: Literal["sensitivity", "specificity", "accuracy"]
    label: str
    about: Booleans
    """(N,) the cases that count."""
    right: tuple[Booleans, Booleans]
    """(N,) whether A, and B, decided each case rightly."""

    @property
    def gains(self) -> Integers:
        """(N,) +1 for a case that counts and only B decided rightly, -1 where only A did, else 0."""
        gains: Integers = self.about * (self.right[1].astype(np.int64) - self.right[0])
        return gains


def _shares(cases: PairedCases) -> Iterator[_Share]:
    """Yield sensitivity and specificity of each reported class, and the accuracy."""
    a, b = cases.decided
    for k in cases.reported:
        label, positive = cases.labels[k], cases.truth == k
        right = (a == k) == positive, (b == k) == positive
        yield _Share("sensitivity", label, positive, right)
        yield _Share("specificity", label, ~positive, right)
    every = np.ones(len(cases.truth), dtype=np.bool_)
    yield _Share("accuracy", ALL_CLASSES, every, (a == cases.truth, b == cases.truth))


def _auroc_difference(
    cases: PairedCases, aurocs: Sequence[_Auroc], replicates: Floats, confidence: float
) -> Difference:
    """Return the difference of one class's AUROC, or of the mean over several classes.

    Args:
        cases: N, all of which count.
        aurocs: one or more.
        replicates: (B,) differences under resampling.
        confidence: of the intervals.
    """
    a, b = (float(value) for value in np.mean([auroc.values() for auroc in aurocs], axis=0))
    pairs = [auroc.delong for auroc in aurocs if auroc.delong]
    test = UNTESTED
    if len(pairs) == len(aurocs):
        means = (DelongAuroc.mean(of_one) for of_one in zip(*pairs, strict=True))
        test = delong_test(*means, confidence=confidence)
    rarest = min(cases.n_patients(rows) for auroc in aurocs for rows in (auroc.positive, ~auroc.positive))
    n = len(cases.truth)
    interval = bootstrap_estimate(b - a, replicates, n, n_patients=rarest, confidence=confidence)
    return Difference(
        metric="macro_auroc" if len(aurocs) > 1 else "auroc",
        label=ALL_CLASSES if len(aurocs) > 1 else aurocs[0].label,
        n=n,
        n_patients=cases.n_patients(np.ones(n, dtype=np.bool_)),
        a=None if np.isnan(a) else a,
        b=None if np.isnan(b) else b,
        value=interval.value,
        lower=interval.lower,
        upper=interval.upper,
        test="delong",
        test_lower=test.lower,
        test_upper=test.upper,
        p_value=test.p_value,
    )


def _share_difference(cases: PairedCases, share: _Share, replicates: Floats, confidence: float) -> Difference:
    """Return the difference of a share of right decisions, from it and (B,) differences under resampling."""
    n, n_patients = int(share.about.sum()), cases.n_patients(share.about)
    only_a, only_b = int((share.gains < 0).sum()), int((share.gains > 0).sum())
    test = mcnemar_test(n, only_a=only_a, only_b=only_b, confidence=confidence) if n else UNTESTED
    value = (only_b - only_a) / n if n else np.nan
    interval = bootstrap_estimate(value, replicates, n, n_patients=n_patients, confidence=confidence)
    a, b = (float(right[share.about].mean()) if n else None for right in share.right)
    return Difference(
        metric=share.metric,
        label=share.label,
        n=n,
        n_patients=n_patients,
        a=a,
        b=b,
        value=interval.value,
        lower=interval.lower,
        upper=interval.upper,
        test="mcnemar",
        test_lower=test.lower,
        test_upper=test.upper,
        p_value=test.p_value,
        only_a=only_a,
        only_b=only_b,
    )
