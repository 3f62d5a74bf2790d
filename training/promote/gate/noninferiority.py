"""Checks that a release is no worse than the champion on the same cases, in all and within each source."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from training.evaluate.differences import Difference
from training.evaluate.paired_cases import PairedCases
from training.evaluate.paired_measures import measure_differences
from training.promote.gate.answers import REJECTED
from training.promote.gate.bounds import Bounded
from training.promote.gate.differences import bounded_auroc_difference, bounded_share_difference
from training.promote.gate.policy import Margins, Policy
from training.promote.gate.shares import design_effect
from training.promote.gate.words import cases_named, needed
from training.promote.verdict import Check

SEED = 0
"""Of the bootstrap: the same answers give the same verdict."""


@dataclass(frozen=True, slots=True)
class _Compared:
    """One metric of both releases."""

    difference: Difference
    """Of champion (A) and release (B)."""
    n_rarer: int
    """Cases that decide: for an AUROC those of its rarer side."""
    bounded: Bounded | None
    """With its bounds; None where the metric is not defined for these cases."""

    @property
    def metric(self) -> str:
        """The metric as a reader knows it."""
        return "AUROC" if self.difference.metric == "auroc" else self.difference.metric


def check_noninferiority(
    cases: PairedCases, margins: Margins, policy: Policy, *, champion: int
) -> Iterator[Check]:
    """Yield a check for each class and metric on all cases, then within each source that the policy names.

    Args:
        cases: the champion's answers (A) and the release's (B).
        margins: how far below the champion counts as no worse, by metric.
        policy: gives confidence, fewest cases, sources and the factor of their margins.
        champion: number of the release compared with.
    """
    for compared in _compared(cases, margins, policy):
        yield _check(compared, _margin(margins, compared, 1), policy, champion, "")
    for source in _absent(cases, policy):
        yield Check(
            name=f"{_subject(cases)} within source {source}, no worse than release {champion}",
            outcome="cannot_tell",
            sentence=f"Cannot tell: the policy names the source {source}, and no {_subject(cases)} case of "
            "the test split comes from it. Judge on data that has it, or take it out of "
            "non_inferiority.sources.",
        )
    for source in _sources(cases, policy):
        within = cases.take(cases.sources == source)
        few: list[str] = []
        for compared in _compared(within, margins, policy):
            if compared.n_rarer < policy.minimum_cases:
                few.append(f"{compared.difference.label} {compared.metric} ({compared.n_rarer})")
                continue
            factor = policy.non_inferiority.source_margin_factor
            yield _check(compared, _margin(margins, compared, factor), policy, champion, source)
        if few:
            yield Check(
                name=f"{_subject(cases)} within source {source}, no worse than release {champion}",
                outcome="skipped",
                sentence=f"Fewer than {policy.minimum_cases} cases within {source} for: {', '.join(few)}.",
            )


def _compared(cases: PairedCases, margins: Margins, policy: Policy) -> Iterator[_Compared]:
    """Yield each difference that has a margin."""
    found = measure_differences(
        cases, n_bootstrap=policy.bootstrap, seed=SEED, confidence=2 * policy.confidence - 1
    )
    for difference in found:
        if difference.label in ("", REJECTED) or getattr(margins, difference.metric) is None:
            continue
        place = cases.labels.index(difference.label)
        positive = cases.truth == place
        if difference.metric == "auroc":
            n_positive = int(positive.sum())
            rarer = min(n_positive, len(positive) - n_positive)
            bounded = (
                bounded_auroc_difference(difference, n_rarer=rarer, confidence=policy.confidence)
                if difference.value is not None
                else None
            )
            yield _Compared(difference, rarer, bounded)
            continue
        about = positive if difference.metric == "sensitivity" else ~positive
        of_champion, of_release = ((decided == place) == positive for decided in cases.decided)
        gains = of_release[about].astype(np.float64) - of_champion[about]
        bounded = None
        if len(gains):
            effect = design_effect(gains, cases.patients[about])
            bounded = bounded_share_difference(difference, effect=effect, confidence=policy.confidence)
        yield _Compared(difference, len(gains), bounded)


def _margin(margins: Margins, compared: _Compared, factor: float) -> float:
    return factor * float(getattr(margins, compared.difference.metric))


def _sources(cases: PairedCases, policy: Policy) -> list[str]:
    present, named = sorted(set(map(str, cases.sources))), policy.non_inferiority.sources
    if named == "none" or (named == "all" and len(present) == 1):
        return []
    return present if named == "all" else [source for source in present if source in named]


def _absent(cases: PairedCases, policy: Policy) -> list[str]:
    """Return the sources that the policy names and no case comes from, a misspelt one among them."""
    named, present = policy.non_inferiority.sources, set(map(str, cases.sources))
    return [] if isinstance(named, str) else [source for source in named if source not in present]


def _check(compared: _Compared, margin: float, policy: Policy, champion: int, source: str) -> Check:
    difference, bounded, metric = compared.difference, compared.bounded, compared.metric
    where = f" within source {source}" if source else ""
    name = f"{difference.label} {metric}{where}, no worse than release {champion}"
    named = cases_named(difference.label, difference.metric) + where
    if bounded is None:
        return Check(
            name=name,
            outcome="cannot_tell",
            sentence=f"Cannot tell: a side of the comparison has no case; {policy.minimum_cases} are needed.",
            numbers={"n": difference.n},
        )
    enough = compared.n_rarer >= policy.minimum_cases
    outcome = bounded.judge(-margin) if enough else "cannot_tell"
    seen = (
        f"{metric} of {difference.label} is {difference.b:.3f}, release {champion} has {difference.a:.3f} on "
        f"the same {difference.n} {named}: {bounded.value:+.3f}, surely between {bounded.lower:+.3f} and "
        f"{bounded.upper:+.3f}"
    )
    numbers = {
        "release": difference.b,
        "champion": difference.a,
        "difference": bounded.value,
        "lower": bounded.lower,
        "upper": bounded.upper,
        "margin": margin,
        "n": difference.n,
        "n_rarer": compared.n_rarer,
        "n_patients": difference.n_patients,
        "only_champion_right": difference.only_a,
        "only_release_right": difference.only_b,
        "p_value": difference.p_value,
        "confidence": policy.confidence,
        "method": bounded.method,
    }
    if outcome == "passed":
        sentence = f"{seen[0].upper()}{seen[1:]}: within the margin of {margin:.3f}."
    elif outcome == "failed":
        sentence = f"{seen[0].upper()}{seen[1:]}: worse by more than the margin of {margin:.3f}."
    else:
        more = bounded.further_cases(-margin, confidence=policy.confidence)
        numbers["further_cases"] = more
        worse = " It is worse; by how much is not sure." if bounded.upper < 0 else ""
        ending = needed(more, compared.n_rarer, policy.minimum_cases, named)
        sentence = f"Cannot tell whether it is within the margin of {margin:.3f}: {seen}.{worse} {ending}"
    return Check(name=name, outcome=outcome, sentence=sentence, numbers=numbers)


def _subject(cases: PairedCases) -> str:
    return "filter" if len(cases.labels) == 2 else "classifier"
