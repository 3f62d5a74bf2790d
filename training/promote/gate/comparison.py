"""Sets a release beside the champion: the same cases, the same machine, the same moment."""

from collections.abc import Iterator
from dataclasses import dataclass

from training.evaluate.paired_cases import pair
from training.promote.gate.answers import ServedAnswers
from training.promote.gate.cases import GateCases
from training.promote.gate.front_door import FrontDoor
from training.promote.gate.latency import judge_latency, measure_latency
from training.promote.gate.noninferiority import check_noninferiority
from training.promote.gate.policy import Policy
from training.promote.release import StoredRelease
from training.promote.verdict import Check

LATENCY_IMAGES = 16
"""Different images that latency is measured with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One of the two releases while it is served."""

    stored: StoredRelease
    """What it pins."""
    door: FrontDoor
    """Where it answers."""
    served: ServedAnswers
    """What it answered to every case."""


def compare(release: Side, champion: Side, cases: GateCases, policy: Policy) -> Iterator[Check]:
    """Yield what the release is beside the champion: no worse, and as fast."""
    number, rules = champion.stored.number, policy.non_inferiority
    same_filter = _same_network(release, champion, "filter")
    if same_filter:
        yield _nothing_new("filter", number, "it has the same network (by SHA-256), which answers alike")
    else:
        theirs, ours = (side.served.filter_predictions(cases) for side in (champion, release))
        yield from check_noninferiority(pair(theirs, ours), rules.filter, policy, champion=number)
    thresholds = [dict(side.stored.release.thresholds) for side in (release, champion)]
    if same_filter and _same_network(release, champion, "classifier") and thresholds[0] == thresholds[1]:
        yield _nothing_new(
            "classifier", number, "it has the same networks (by SHA-256) and thresholds, which answer alike"
        )
    else:
        theirs, ours = (side.served.classifier_predictions(cases) for side in (champion, release))
        yield from check_noninferiority(pair(theirs, ours), rules.classifier, policy, champion=number)
    yield _compare_latency(release, champion, cases, policy)


def nothing_to_compare(release: int, against: int | None) -> Check:
    """Return the check that stands for all of these where there is no other release to compare with."""
    why = "there is no champion yet" if against is None else f"release {release} would meet itself"
    return Check(
        name="no worse than the champion, and as fast",
        outcome="skipped",
        sentence=f"Not compared: {why}.",
    )


def _compare_latency(release: Side, champion: Side, cases: GateCases, policy: Policy) -> Check:
    """Measure both with radiographs that both filters accept: a rejected image costs next to nothing."""
    both = cases.is_classified & release.served.accepted & champion.served.accepted
    chosen = both.nonzero()[0][:LATENCY_IMAGES]
    if not len(chosen):
        return Check(
            name="latency",
            outcome="cannot_tell",
            sentence="Cannot tell: there is no radiograph in the test split that both filters accept.",
        )
    images = [cases.file(int(index)) for index in chosen]
    times = measure_latency(release.door, champion.door, images, policy.latency)
    return judge_latency(times, policy, champion.stored.number)


def _same_network(release: Side, champion: Side, network: str) -> bool:
    ours, theirs = (getattr(side.stored.release, network).sha256 for side in (release, champion))
    return bool(ours == theirs)


def _nothing_new(subject: str, champion: int, why: str) -> Check:
    return Check(
        name=f"{subject}, no worse than release {champion}",
        outcome="passed",
        sentence=f"No worse than release {champion}: {why}.",
    )
