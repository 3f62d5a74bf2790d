"""Decides which release is champion, which is challenger, and which was champion before.

A decision is one entry in the ledger, refused where another came since the caller looked: of two persons
who promote at once, one wins and the other is told. The registry's aliases follow (`aliases`), and the
rollout follows them. A crash in between leaves a decision that whoever comes next carries out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hilum.contract import SCREENING
from hilum.errors import UsageError
from training.errors import PromotionError
from training.ledger.ledger import Ledger
from training.promote.aliases import Standing, check_same_ledger, look, settle
from training.promote.decisions import decide
from training.promote.evidence import weigh
from training.promote.release import DIGEST_TAG
from training.promote.release_lint import lint_release
from training.registry import CHALLENGER, CHAMPION, PREVIOUS, Registry

Role = Literal["champion", "challenger"]
"""What a release can be while it is served."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Promotion:
    """The outcome of a promotion or a rollback."""

    role: Role
    """What the release was made."""
    release: int | None
    """The release; None where there is to be no challenger any more."""
    previous: int | None
    """The release that had the role before; None where none had."""
    changed: bool
    """False where all was so already; nothing was recorded then."""
    forced: bool = False
    """Whether it went round the gate."""
    entry: int | None = None
    """Number of the decision in the ledger; None where nothing changed."""


def promote_release(
    registry: Registry,
    ledger: Ledger,
    number: int,
    *,
    role: Role = "champion",
    who: str,
    reason: str = "",
    force: bool = False,
) -> Promotion:
    """Make a release the champion, whose predecessor becomes `previous`, or the challenger.

    A champion needs a gate's passing verdict against the champion of the moment, and the approvals that its
    policy asks for (`evidence`). A challenger decides nothing for anybody: it only has to be what Triton can
    serve and to answer its golden cases (`release_lint`), which the rollout asks again.

    Args:
        registry: holds the release.
        ledger: takes the decision.
        number: release number.
        role: what to make it.
        who: promotes.
        reason: why; needed with `force`.
        force: promote to champion whatever the gate says; the ledger records what it said.

    Raises:
        UnknownVersionError: there is no such release.
        UsageError: forced without a reason, or to be challenger.
        PromotionError: refused; the message says which command to run.
        ConcurrentChangeError: somebody decided otherwise meanwhile; nothing was moved.
        LedgerError: the registry's aliases follow another ledger.
    """
    version = registry.version(SCREENING, number)
    _check_force(role, reason, force=force)
    standing = _settled(registry, ledger)
    current = standing.aliases.get(role)
    if current == number:
        return Promotion(role=role, release=number, previous=_before(standing, role), changed=False)
    evidence: dict[str, Any] = {"digest": version.tag(DIGEST_TAG)}
    forced = False
    if role == "champion":
        found = weigh(registry, ledger, number, champion=current, who=who)
        if found.refusal and not force:
            raise PromotionError(
                f"Release {number} was not promoted. {found.refusal} "
                '(To go round the gate, on record: --force --reason "WHY".)'
            )
        forced = found.refusal is not None
        evidence |= {"verdict_run": found.run_id, "approvers": found.approvers, "overrode": found.refusal}
    else:
        _check_challenger(registry, standing, number)
    return _move(
        registry, ledger, standing, role, number, who=who, reason=reason, forced=forced, evidence=evidence
    )


def remove_challenger(registry: Registry, ledger: Ledger, *, who: str, reason: str = "") -> Promotion:
    """Let no release be challenger any more; raises as `promote_release` does."""
    standing = _settled(registry, ledger)
    if CHALLENGER not in standing.aliases:
        return Promotion(role="challenger", release=None, previous=None, changed=False)
    return _move(registry, ledger, standing, "challenger", None, who=who, reason=reason, evidence={})


def roll_back(
    registry: Registry, ledger: Ledger, *, to: int | None = None, who: str, reason: str = ""
) -> Promotion:
    """Make a release champion that was champion before; the gate had let it pass then, and is not asked.

    Args:
        registry: holds the releases.
        ledger: says which were champion, and takes the decision.
        to: release number; None for the alias `previous`. As that names the champion that is left, a second
            rollback undoes the first.
        who: rolls back.
        reason: why.

    Raises:
        UnknownVersionError: there is no such release.
        PromotionError: there is nothing to go back to, or the release was never champion.
        ConcurrentChangeError: somebody decided otherwise meanwhile; nothing was moved.
        LedgerError: the registry's aliases follow another ledger.
    """
    standing = _settled(registry, ledger)
    current, previous = standing.aliases.get(CHAMPION), standing.aliases.get(PREVIOUS)
    if current is None:
        raise PromotionError("No release is champion, so there is none to go back from: hilum promote NUMBER")
    number = previous if to is None else to
    if number is None:
        raise PromotionError(
            f"No release was champion before release {current}. Promote one that the gate passed: "
            "hilum promote NUMBER"
        )
    version = registry.version(SCREENING, number)
    if number == current:
        return Promotion(role="champion", release=number, previous=previous, changed=False)
    if number not in standing.decided.champions | {previous}:
        raise PromotionError(
            f"Release {number} never was champion, so there is no way back to it. "
            f"Let it pass the gate: hilum release gate {number} --data DIR, then hilum promote {number}"
        )
    evidence = {"digest": version.tag(DIGEST_TAG), "rollback": True}
    return _move(registry, ledger, standing, "champion", number, who=who, reason=reason, evidence=evidence)


def _settled(registry: Registry, ledger: Ledger) -> Standing:
    """Return how registry and ledger stand, once a move that was cut short is completed.

    Raises:
        PromotionError: an alias was moved by hand.
        LedgerError: the registry's aliases follow another ledger.
    """
    standing = look(registry, ledger)
    check_same_ledger(standing, ledger)
    if standing.decided.basis == 0:  # the ledger begins: its first decision goes by what the registry says
        return standing
    if standing.is_unfinished:
        settle(registry, ledger)
        standing = look(registry, ledger)
    if standing.drifts and not standing.is_unfinished:
        raise PromotionError(
            f"{standing.drifts[0].sentence} `hilum rollout apply` puts it back, or with "
            "HILUM_HAND_MOVED_ALIASES=adopt takes it over; then run this command again."
        )
    return standing


def _move(
    registry: Registry,
    ledger: Ledger,
    standing: Standing,
    role: Role,
    number: int | None,
    *,
    who: str,
    reason: str,
    evidence: Mapping[str, Any],
    forced: bool = False,
) -> Promotion:
    """Record the decision, then let the registry follow it."""
    before = standing.aliases.get(role)
    entry = decide(
        ledger, standing.decided, "alias_moved", role, number,
        before=before, who=who, why=reason, evidence={"forced": forced, **evidence},
    )  # fmt: skip
    settle(registry, ledger)
    return Promotion(
        role=role, release=number, previous=before, changed=True, forced=forced, entry=entry.number
    )


def _before(standing: Standing, role: Role) -> int | None:
    return standing.aliases.get(PREVIOUS) if role == "champion" else None


def _check_force(role: Role, reason: str, *, force: bool) -> None:
    if force and role == "challenger":
        raise UsageError("A challenger passes no gate, so there is nothing to force: leave --force away.")
    if force and not reason.strip():
        raise UsageError('Going round the gate needs a reason, which is kept on record: --reason "WHY".')


def _check_challenger(registry: Registry, standing: Standing, number: int) -> None:
    """Raise where a release cannot be challenger."""
    if number == standing.aliases.get(CHAMPION):
        raise PromotionError(f"Release {number} is the champion: it cannot be its own challenger.")
    defects = lint_release(registry, number)
    if defects:
        raise PromotionError(
            f"Release {number} cannot be served: {defects[0].problem} {defects[0].remedy} "
            f"({len(defects)} defect(s): hilum release lint {number})"
        )
