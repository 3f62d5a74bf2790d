"""What is known of a challenger beside its champion, in plain words."""

import math
from typing import TYPE_CHECKING

from dashboard.language import mark, tr
from dashboard.look import label_name
from dashboard.sources.prometheus_api import Instant

if TYPE_CHECKING:
    from training.promote.challenge import Challenge, Reported

REJECTED = mark("rejected")


def answer_name(answer: str) -> str:
    """Return a finding, or the filter's rejection, in the reader's words."""
    return tr(REJECTED) if answer == "rejected" else label_name(answer)


def findings(release_counts: Instant) -> dict[int, dict[str, int]]:
    """Return how often each release reported each finding, from the answer to a query for counts."""
    counts: dict[int, dict[str, int]] = {}
    for sample in release_counts.samples:
        release, finding = sample.labels.get("release", ""), sample.labels.get("finding", "")
        if release.isdigit() and finding and sample.value > 0 and math.isfinite(sample.value):
            counts.setdefault(int(release), {})[finding] = round(sample.value)
    return {release: found for release, found in counts.items() if sum(found.values())}


def is_shown(reported: "Reported") -> bool:
    """Tell whether the records show that one release says this more often, however often one looks."""
    from training.evaluate.intervals import CONFIDENCE

    return reported.p_adjusted is not None and reported.p_adjusted <= 1 - CONFIDENCE


def conclusion(challenge: "Challenge") -> tuple[str, str]:
    """Return `differ`, `few` or `alike`, and the same as a sentence."""
    from training.promote.challenge import FEWEST_DISCORDANT

    shown = [answer_name(reported.answer) for reported in challenge.reported if is_shown(reported)]
    if shown:
        return "differ", tr(
            "After {n} images: the two do not say “{answers}” equally often, and that is not chance.",
            n=challenge.n,
            answers="”, “".join(shown),
        )
    most = max(reported.only_champion + reported.only_challenger for reported in challenge.reported)
    if most < FEWEST_DISCORDANT:
        return "few", tr(
            "After {n} images it is too early to say: at most {most} of them tell the two apart in any one "
            "answer, and fewer than {fewest} cannot show a difference.",
            n=challenge.n,
            most=most,
            fewest=FEWEST_DISCORDANT,
        )
    return "alike", tr(
        "After {n} images nothing shows that one release reports a finding, or rejects, more often than the "
        "other.",
        n=challenge.n,
    )
