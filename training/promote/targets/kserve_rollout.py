"""Lets an InferenceService of KServe serve what the aliases say: canary, promotion and rollback alike.

Each step is written with the version of the object that it was read from, so nobody's change is overwritten,
and is waited for: KServe's status must say that it is in force before the next. A step that does not get
ready is taken back; what answered before goes on answering.

NOTE: what KServe's controller does with these objects (which pods it starts, how the traffic is really
shared) only a cluster can show. Without one, the objects are checked against KServe's own schema, and the
steps against a server that plays the Kubernetes API.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from hilum.errors import HilumError, UsageError
from training.errors import ClusterError
from training.ledger.ledger import Ledger
from training.promote.targets.cluster import Cluster, ConflictError
from training.promote.targets.inference_service import Object, first_service, mode_of
from training.promote.targets.readiness import read_readiness
from training.promote.targets.traffic_steps import Goal, next_step

POLL_S = 2.0
"""How often the status is read while a step is waited for, in seconds."""

CONFLICTS = 5
"""How often in a row another writer may be faster before a rollout gives up."""

Outcome = Literal["created", "changed", "verified"]


class NotPutBackError(ClusterError):
    """A step failed, and what it changed stays."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KServeResult:
    """What a rollout on KServe did."""

    champion: int
    """The release that gets what the challenger leaves."""
    challenger: int | None
    """The canary; None where there is none."""
    percent: int
    """The canary's share of the traffic."""
    outcome: Outcome
    """`created`: the service is new; `changed`: it was changed; `verified`: it served this already."""
    steps: tuple[str, ...]
    """What was done, in order."""
    url: str
    """Where it answers, as KServe says; empty where it says nothing."""


def roll_out(
    cluster: Cluster, ledger: Ledger, goal: Goal, *, who: str, template: Object | None, timeout_s: float
) -> KServeResult:
    """Let the service serve the goal, whose releases are published already.

    Args:
        cluster: the service.
        ledger: records each step, where there is something to do.
        goal: who is to answer.
        who: rolls out, as the ledger records it.
        template: the service to create where there is none; None: that is an error.
        timeout_s: longest wait for one step, in seconds.

    Raises:
        ClusterError: a step was refused, or did not get ready and was taken back.
        ServiceUnreachableError: the API server does not answer; run this again to go on.
        UsageError: there is no service and no template; or the service names no way to shift traffic.
    """
    service = cluster.fetch()
    steps: list[str] = []
    outcome: Outcome = "changed"
    if service is None:
        service, outcome = _create(cluster, ledger, goal, who, template, timeout_s), "created"
        steps.append(f"Release {goal.champion} answers, in a new service.")
    elif next_step(service, goal) is None and read_readiness(service).ready:
        outcome = "verified"
    service = _follow(cluster, ledger, goal, who, timeout_s, steps)
    facts = _facts(cluster, service, "")
    if not _is_recorded(ledger, facts):  # a rollout that was cut short did it
        ledger.append("rolled_out", who=who, facts={**facts, "outcome": "verified"})
    return _result(service, goal, outcome, steps)


def _create(
    cluster: Cluster, ledger: Ledger, goal: Goal, who: str, template: Object | None, timeout_s: float
) -> Object:
    if template is None:
        raise UsageError(
            f"There is no InferenceService {cluster.name} in namespace {cluster.namespace}. Name a template "
            "with --template to create it; docs/targets.md has one."
        )
    service = first_service(
        template,
        name=cluster.name,
        namespace=cluster.namespace,
        release=goal.champion,
        uri=goal.uri(goal.champion),
    )
    with _recorded(ledger, who, _facts(cluster, service, "The service is created."), "created"):
        created = cluster.create(service)
        try:
            return _wait(cluster, created, timeout_s)
        except ClusterError as error:
            raise NotPutBackError(f"The service was created, and stays: {error}") from error


def _follow(
    cluster: Cluster, ledger: Ledger, goal: Goal, who: str, timeout_s: float, steps: list[str]
) -> Object:
    """Take step after step until nothing is left to do; add each to `steps`."""
    conflicts = 0
    while True:
        before = _fetch(cluster)
        step = next_step(before, goal)
        if step is None:
            return _wait(cluster, before, timeout_s)
        try:
            with _recorded(ledger, who, _facts(cluster, step.service, step.sentence), "changed"):
                written = cluster.replace(step.service)
                try:
                    _wait(cluster, written, timeout_s)
                except ClusterError as error:
                    what = f"{step.sentence} That failed: {error}"
                    raise _taken_back(cluster, before, written, what) from error
        except ConflictError:
            conflicts += 1
            if conflicts == CONFLICTS:
                raise
            continue
        conflicts = 0
        steps.append(step.sentence)


@contextmanager
def _recorded(ledger: Ledger, who: str, facts: dict[str, Any], outcome: Outcome) -> Iterator[None]:
    """Record a step, so that the ledger knows who answered at any time.

    A failure is recorded where everything is as it was before; otherwise the beginning stands alone, which
    says that either may have answered.
    """
    ledger.append("rollout_began", who=who, facts=facts)
    try:
        yield
    except ClusterError as error:
        if not isinstance(error, NotPutBackError):
            ledger.append("rollout_failed", who=who, facts={**facts, "error": str(error)})
        raise
    ledger.append("rolled_out", who=who, facts={**facts, "outcome": outcome})


def _facts(cluster: Cluster, service: Object, step: str) -> dict[str, Any]:
    """Return who answers once an object is in force, as the ledger records it."""
    traffic = mode_of(service).traffic(service)
    shares = {release: percent for release, percent in traffic.canaries.items() if percent > 0}
    challenger = max(shares, key=lambda release: shares[release], default=None)
    return {
        "champion": traffic.stable,
        "challenger": challenger,
        "percent": shares.get(challenger, 0) if challenger is not None else 0,
        "target": cluster.target,
        "triton": "kserve",
        "step": step,
    }


def _is_recorded(ledger: Ledger, facts: dict[str, Any]) -> bool:
    """Whether the newest entry about this service says that these releases answer."""
    kinds = ("rollout_began", "rolled_out", "rollout_failed")
    newest = None
    for entry in ledger.entries():
        if entry.kind in kinds and entry.facts.get("target") == facts["target"]:
            newest = entry
    names = ("champion", "challenger", "percent")
    return (
        newest is not None
        and newest.kind == "rolled_out"
        and all(newest.facts.get(name) == facts[name] for name in names)
    )


def _wait(cluster: Cluster, written: Object, timeout_s: float) -> Object:
    """Return the object once its status says that what was written is in force."""
    deadline = time.monotonic() + timeout_s
    generation = written["metadata"]["generation"]
    while True:
        service = _fetch(cluster)
        if service["metadata"]["generation"] != generation:
            raise ClusterError(
                f"Somebody else changed {cluster.target} while this rollout waited for it. Run it again."
            )
        readiness = read_readiness(service)
        if readiness.ready:
            return service
        if readiness.failure:
            raise ClusterError(f"{cluster.target} cannot load its model: {readiness.failure}.")
        if time.monotonic() > deadline:
            raise ClusterError(f"{cluster.target} is not ready after {timeout_s:.0f} s: {readiness.missing}.")
        time.sleep(POLL_S)


def _taken_back(cluster: Cluster, before: Object, written: Object, what: str) -> ClusterError:
    """Write the object as it was before a step, unless somebody else changed it since; say what answers."""
    try:
        current = _fetch(cluster)
        if current["metadata"]["generation"] != written["metadata"]["generation"]:
            return NotPutBackError(f"{what} It was not taken back: somebody else changed it meanwhile.")
        current["spec"] = before["spec"]
        current["metadata"]["annotations"] = before["metadata"].get("annotations", {})
        cluster.replace(current)
    except HilumError as second:
        return NotPutBackError(
            f"{what} The way back failed too: {second} Run the rollout again once the cause is mended."
        )
    return ClusterError(f"{what} It was taken back: who answered before goes on answering.")


def _fetch(cluster: Cluster) -> Object:
    service = cluster.fetch()
    if service is None:
        raise ClusterError(f"Somebody removed {cluster.target} while this rollout was running.")
    return service


def _result(service: Object, goal: Goal, outcome: Outcome, steps: list[str]) -> KServeResult:
    return KServeResult(
        champion=goal.champion,
        challenger=goal.challenger,
        percent=goal.percent if goal.challenger is not None else 0,
        outcome=outcome,
        steps=tuple(steps),
        url=service.get("status", {}).get("url", ""),
    )
