"""Judges a release: serves it and the champion by temporary Tritons, asks both, and draws the verdict."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hilum.contract import CLASSIFIER, FILTER, SCREENING
from hilum.triton.errors import ServerFailedError
from training import tracking
from training.errors import GateError, RepositoryError
from training.ledger.ledger import Ledger
from training.promote.gate.answers import ServedAnswers, ask_all
from training.promote.gate.cases import GateCases, load_cases
from training.promote.gate.comparison import Side, compare, nothing_to_compare
from training.promote.gate.floors import check_floors
from training.promote.gate.front_door import FrontDoor
from training.promote.gate.golden_check import check_golden
from training.promote.gate.hostile import check_hostile
from training.promote.gate.parity import check_export_parity, check_served_parity
from training.promote.gate.policy import ClassFloors, Policy
from training.promote.gate.temporary_triton import downloaded_networks, serving
from training.promote.naming import resolve_release
from training.promote.release import StoredRelease, fetch_release
from training.promote.verdict import Check, Verdict, combine, store_verdict, tag_verdict
from training.registry import CHAMPION, Registry

QUEUED = 2
"""Requests kept waiting beyond one for each copy of a network, so that none is ever idle."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GateRequest:
    """Which release is to be judged, and how."""

    release: int
    """Its number."""
    against: str
    """The release to compare with: an alias or a number. Without a champion nothing is compared."""
    data: Path
    """Data set whose test split is asked."""
    policy: Policy
    """What must be reached."""
    hostile: Path | None
    """Files that must not harm the server, beside those that are made here."""
    home: Path
    """Holds the cache of decoded radiographs, and the servers' logs."""
    instances: int
    """Copies of each network that a server runs side by side."""
    who: str
    """Who asks."""


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """The release under judgement with all that its checks need."""

    request: GateRequest
    registry: Registry
    stored: StoredRelease
    networks: dict[str, Path]
    cases: GateCases


def judge_release(registry: Registry, request: GateRequest) -> Verdict:
    """Return the verdict on a release; nothing is stored yet, and no server that runs here is touched.

    Raises:
        UnknownVersionError: there is no such release, or none to compare with under that name.
        DataSetError: the test split cannot judge these networks.
        GateError: the champion did not answer an image of the test split.
        ServerFailedError: Triton does not serve the champion.
        IntegrityError: what is stored of a release is not what was registered.
    """
    stored = fetch_release(registry, request.release)
    against = resolve_opponent(registry, request.against)
    other = fetch_release(registry, against) if against not in (None, request.release) else None
    pins = [
        pinned
        for each in (stored, other)
        if each
        for pinned in (each.release.filter, each.release.classifier)
    ]
    cases = load_cases(request.data, request.home, {pinned.run_id for pinned in pins})
    with downloaded_networks(registry, stored) as networks:
        candidate = _Candidate(
            request=request, registry=registry, stored=stored, networks=networks, cases=cases
        )
        checks = tuple(_checks(candidate, other, against))
    policy = request.policy
    return Verdict(
        release=request.release,
        digest=stored.release.digest,
        against=against,
        policy=policy.name,
        policy_settings=policy.model_dump(mode="json"),
        approvals=policy.approvals,
        outcome=combine(checks, allow_cannot_tell=policy.on_cannot_tell == "allow"),
        checks=checks,
        judged_at=datetime.now(UTC),
        judged_by=request.who,
        data=request.data.resolve().name,
        data_digest=cases.data.digest(),
        n_images=len(cases),
        code_revision=tracking.git_revision(),
    )


def record_verdict(registry: Registry, ledger: Ledger, verdict: Verdict, page: str) -> str:
    """Store a verdict with its page, append it to the ledger, tag the release, and return the run's id.

    In this order no release is tagged with a verdict that the ledger does not know. Where it is cut short
    between the two, `hilum promote` says that the release has to be judged again.
    """
    run_id = store_verdict(verdict, page)
    ledger.append(
        "judged",
        who=verdict.judged_by,
        facts={
            "release": verdict.release,
            "digest": verdict.digest,
            "outcome": verdict.outcome,
            "against": verdict.against,
            "policy": verdict.policy,
            "run_id": run_id,
            "verdict_sha256": verdict.sha256,
        },
        why=verdict.sentence,
    )
    tag_verdict(registry, verdict, run_id)
    return run_id


def _checks(candidate: _Candidate, other: StoredRelease | None, against: int | None) -> Iterator[Check]:
    """Yield every check; where Triton does not serve the release, that is the last one."""
    request, stored = candidate.request, candidate.stored
    for model, pinned in ((FILTER, stored.release.filter), (CLASSIFIER, stored.release.classifier)):
        yield check_export_parity(candidate.registry, model, pinned, candidate.networks[model])
    with ExitStack() as stack:
        try:
            door = stack.enter_context(_serving(stored, candidate.networks, request))
            served = _ask(door, stored, candidate.cases, request)
        except (RepositoryError, ServerFailedError, GateError) as error:
            sentence = f"Triton does not serve release {stored.number}: {error}"
            yield Check(name="served by a real Triton", outcome="failed", sentence=sentence)
            return
        yield check_golden(door, stored)
        yield check_served_parity(served, candidate.cases, stored, candidate.networks, request.policy.parity)
        yield from _floors(served, candidate)
        if other:
            networks = stack.enter_context(downloaded_networks(candidate.registry, other))
            other_door = stack.enter_context(_serving(other, networks, request))
            answers = _ask(other_door, other, candidate.cases, request)
            release = Side(stored=stored, door=door, served=served)
            champion = Side(stored=other, door=other_door, served=answers)
            yield from compare(release, champion, candidate.cases, request.policy)
        else:
            yield nothing_to_compare(request.release, against)
        yield check_hostile(door, stored, request.hostile)  # last: it may cost the server its life


def _serving(
    stored: StoredRelease, networks: dict[str, Path], request: GateRequest
) -> AbstractContextManager[FrontDoor]:
    log = request.home / "logs" / f"gate-release-{stored.number}.log"
    return serving(stored, networks, instances=request.instances, log=log)


def _ask(door: FrontDoor, stored: StoredRelease, cases: GateCases, request: GateRequest) -> ServedAnswers:
    in_flight = request.instances + QUEUED
    return ask_all(door, cases, stored.number, stored.release.operating_point, in_flight=in_flight)


def _floors(served: ServedAnswers, candidate: _Candidate) -> Iterator[Check]:
    policy, cases = candidate.request.policy, candidate.cases
    for predictions, floors in (
        (served.filter_predictions(cases), policy.floors.filter),
        (served.classifier_predictions(cases), policy.floors.classifier),
    ):
        by_class: dict[str, ClassFloors] = {
            label: getattr(floors, label) for label in type(floors).model_fields
        }
        yield from check_floors(predictions, by_class, policy)


def resolve_opponent(registry: Registry, against: str) -> int | None:
    """Return the release to compare with; None where the champion is meant and nobody is it.

    Raises:
        UnknownVersionError: there is no such release, or no such alias other than the champion's.
    """
    if against == CHAMPION and CHAMPION not in registry.aliases(SCREENING):
        return None
    return resolve_release(registry, against)
