"""What paired answers from live traffic say of a challenger: how often, and in what, it differs.

Without labels nobody knows who is right: the numbers say whether the two releases agree, and whether one
reports more than the other. `training.promote.labelled_pairs` says who is right, where the truth is known.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from hilum.contract import FINDINGS, LABELS
from hilum.paired_answers import Pair, PairedAnswer, in_time_order
from training.evaluate.differences import holm
from training.evaluate.intervals import CONFIDENCE, Estimate, wilson_estimate
from training.evaluate.mcnemar import mcnemar_test
from training.evaluate.sequential import SequentialTest, sequential_test

REJECTED = "rejected"
"""What stands for the finding of an image that the filter rejected."""

ANSWERS = (*LABELS, REJECTED)
"""All that a release can say of an image, in the order of tables."""

FEWEST_DISCORDANT = 10
"""Discordant images of one answer below which p cannot reach 0.05 after adjustment for three answers, even if
all lie on one side: 2^10 / 11 is the first above 3 / 0.05."""


@dataclass(frozen=True, slots=True)
class Reported:
    """How often champion (A) and challenger (B) say one thing of the same images."""

    answer: str
    """One of `FINDINGS`, or `REJECTED`."""
    both: int
    """Images of which both say so."""
    only_champion: int
    """Images of which only the champion says so."""
    only_challenger: int
    """Images of which only the challenger says so."""
    neither: int
    """Images of which neither says so."""
    disagreement: Estimate
    """Share of images of which one says so and the other does not; the interval is for one look."""
    difference: float
    """The challenger's rate less the champion's."""
    lower: float | None
    """Lower bound of the difference's 95 % interval (Tango's), for one look."""
    upper: float | None
    """Upper bound of that interval."""
    sequential: SequentialTest
    """The test that stays valid however often one looks."""
    p_adjusted: float | None = None
    """Its p value after Holm's adjustment over all answers that are tested."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenger beside one champion."""

    champion: int
    """Release number."""
    challenger: int
    """Release number."""
    first: str
    """When the first pair was made, ISO 8601."""
    last: str
    """When the last pair was made."""
    n: int
    """Images that both answered, each counted once."""
    repeated: int
    """Pairs left out, since their image was there already."""
    failed: int
    """Images that the challenger never answered, though the champion did."""
    errors: Mapping[str, int]
    """How the challenger failed: pairs by the error's name."""
    agreement: Estimate
    """Share of images with the same answer; Wilson's interval, for one look."""
    table: tuple[tuple[int, ...], ...]
    """(4, 4) images by the champion's answer (rows) and the challenger's (columns), as in `ANSWERS`."""
    reported: tuple[Reported, ...]
    """For each finding and for rejection."""
    latency_s: tuple[float, float]
    """Median latency of champion and challenger, in seconds."""
    sentence: str
    """What may be said of it all, however often one has looked."""

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as objects that JSON can carry."""
        return asdict(self)


def answer_of(answer: PairedAnswer) -> str:
    """Return what a release says of an image: one of `ANSWERS`."""
    return answer.finding or REJECTED


def by_releases(pairs: Iterable[Pair]) -> dict[tuple[int, int], list[Pair]]:
    """Return pairs in the order of time, by champion and challenger.

    A pair without the challenger's answer does not say which challenger failed: it counts for the challenger
    that the same champion was beside before it, or else is beside next.
    """
    ordered = in_time_order(list(pairs))
    beside: dict[int, int] = {}
    for pair in reversed(ordered):
        if pair.challenger is not None:
            beside[pair.champion.release] = pair.challenger.release
    groups: dict[tuple[int, int], list[Pair]] = {}
    for pair in ordered:
        champion = pair.champion.release
        if pair.challenger is not None:
            beside[champion] = pair.challenger.release
        if champion in beside:
            groups.setdefault((champion, beside[champion]), []).append(pair)
    return groups


def first_answers(pairs: Iterable[Pair]) -> dict[str, tuple[PairedAnswer, PairedAnswer]]:
    """Return the first answers of both to each image, by digest, in the order of time."""
    found: dict[str, tuple[PairedAnswer, PairedAnswer]] = {}
    for pair in pairs:
        if pair.challenger is not None:
            found.setdefault(pair.image, (pair.champion, pair.challenger))
    return found


def judge_challenger(pairs: list[Pair]) -> Challenge:
    """Return what the pairs of one champion and one challenger say, in the order of time.

    Args:
        pairs: one group of `by_releases`.
    """
    answers = first_answers(pairs)
    both = list(answers.values())
    said = [(answer_of(champion), answer_of(challenger)) for champion, challenger in both]
    counts = Counter(said)
    same = sum(champion == challenger for champion, challenger in said)
    reported = _adjusted([_reported(answer, said) for answer in (*FINDINGS, REJECTED)])
    latencies = np.array([[champion.latency_s, challenger.latency_s] for champion, challenger in both])
    medians = np.median(latencies, axis=0)
    answered = sum(pair.challenger is not None for pair in pairs)
    failed = {pair.image for pair in pairs} - set(answers)
    return Challenge(
        champion=both[0][0].release,
        challenger=both[0][1].release,
        first=pairs[0].at.isoformat(timespec="seconds"),
        last=pairs[-1].at.isoformat(timespec="seconds"),
        n=len(both),
        repeated=answered - len(both),
        failed=len(failed),
        errors=dict(Counter(pair.error for pair in pairs if pair.error is not None)),
        agreement=wilson_estimate(same, len(both)),
        table=tuple(tuple(counts[row, column] for column in ANSWERS) for row in ANSWERS),
        reported=reported,
        latency_s=(float(medians[0]), float(medians[1])),
        sentence=_sentence(len(both), reported),
    )


def _reported(answer: str, said: list[tuple[str, str]]) -> Reported:
    """Count and test how often both say `answer`."""
    a, b = ([pair[side] == answer for pair in said] for side in (0, 1))
    test = sequential_test(a, b)
    n, both = len(said), sum(x and y for x, y in zip(a, b, strict=True))
    interval = mcnemar_test(n, only_a=test.only_a, only_b=test.only_b)
    return Reported(
        answer=answer,
        both=both,
        only_champion=test.only_a,
        only_challenger=test.only_b,
        neither=n - both - test.only_a - test.only_b,
        disagreement=wilson_estimate(test.only_a + test.only_b, n),
        difference=(test.only_b - test.only_a) / n,
        lower=interval.lower,
        upper=interval.upper,
        sequential=test,
    )


def _adjusted(reported: list[Reported]) -> tuple[Reported, ...]:
    """Adjust the p values as one family: Holm's adjustment holds at any time at which they hold."""
    adjusted = holm([found.sequential.p_value for found in reported])
    return tuple(replace(found, p_adjusted=p) for found, p in zip(reported, adjusted, strict=True))


def _sentence(n: int, reported: tuple[Reported, ...]) -> str:
    """Return what the tests show."""
    shown = [
        f"{found.answer} ({found.both + found.only_challenger} images, {found.both + found.only_champion} by "
        "the champion)"
        for found in reported
        if found.p_adjusted is not None and found.p_adjusted <= 1 - CONFIDENCE
    ]
    if shown:
        return (
            f"After {n} images: the challenger does not report {' and '.join(shown)} as often as the "
            "champion, and that is not chance."
        )
    most = max(found.only_champion + found.only_challenger for found in reported)
    if most < FEWEST_DISCORDANT:
        return (
            f"After {n} images it is too early to say: {most} of them tell the two apart in any one answer, "
            f"and fewer than {FEWEST_DISCORDANT} cannot show a difference, whatever they say."
        )
    return (
        f"After {n} images nothing shows that one release reports a finding, or rejects, more often than the "
        "other. Look again at any time: the test allows for it."
    )
