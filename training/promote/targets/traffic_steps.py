"""The next step from what an InferenceService asks for to what the aliases say.

A release that is to get traffic first runs without any, until it is ready: one that does not load is never
asked. Each step is read off the object alone, so a rollout that was cut short, or that met another writer,
goes on from wherever the object is.
"""

from dataclasses import dataclass

from training.promote.targets.inference_service import Object, mode_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """Who is to answer."""

    champion: int
    """The release that gets what the challenger leaves."""
    challenger: int | None
    """The release beside it; None: none."""
    percent: int
    """The challenger's share of the traffic, 0 to 100."""
    storage: str
    """Where the releases' model repositories are: `STORAGE/release-7`."""

    def uri(self, release: int) -> str:
        """Return the address of a release's model repository."""
        return release_uri(self.storage, release)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One change of the object."""

    sentence: str
    """What it does."""
    service: Object
    """The object to write."""


def next_step(service: Object, goal: Goal) -> Step | None:
    """Return the next change; None where the object asks for the goal already."""
    mode = mode_of(service)
    traffic = mode.traffic(service)
    champion, challenger = goal.champion, goal.challenger
    if traffic.stable != champion:
        if champion in traffic.canaries:
            return Step(sentence=f"Release {champion} takes over.", service=mode.promote(service, champion))
        return _start(service, goal, champion)
    for release in traffic.canaries:
        if release != challenger:
            return Step(
                sentence=f"Release {release} is withdrawn.",
                service=mode.withdraw(service, release, goal.uri(champion)),
            )
    if challenger is None:
        return None
    if challenger not in traffic.canaries:
        return _start(service, goal, challenger)
    if traffic.canaries[challenger] != goal.percent:
        return Step(
            sentence=f"Release {challenger} gets {goal.percent} % of the traffic.",
            service=mode.shift(service, challenger, goal.percent),
        )
    return None


def release_uri(storage: str, release: int) -> str:
    """Return the address of a release's model repository below `storage`."""
    return f"{storage.rstrip('/')}/release-{release}"


def _start(service: Object, goal: Goal, release: int) -> Step:
    return Step(
        sentence=f"Release {release} starts, without traffic.",
        service=mode_of(service).start(service, release, goal.uri(release)),
    )
