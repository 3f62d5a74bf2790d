"""Puts one release behind one front door of one Triton: what an MLflow deployment does.

A deployment moves no alias: a second Triton may serve another release than the first. But the gate is not
gone round: what neither is champion nor has what `hilum promote` asks for becomes nobody's champion, unless
it is forced, on record. Where a watcher or `hilum rollout apply` looks after the same Triton, the aliases
have the last word.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hilum.contract import SCREENING
from hilum.errors import UsageError
from training.errors import PromotionError
from training.promote.evidence import weigh
from training.promote.naming import resolve_release
from training.promote.rollout import apply
from training.promote.triton_control import TritonControl
from training.promote.wanted import DOORS
from training.registry import CHAMPION, Registry
from training.repository.front_door import read_served_release
from training.repository.served_release import ServedRelease

if TYPE_CHECKING:
    from training.promote.promotion import Role
    from training.promote.rollout import RolloutResult
    from training.promote.site import Site

MODEL_URI = re.compile(rf"models:/{SCREENING}(?:@(?P<alias>[^/@]+)|/(?P<number>[0-9]+))")
"""What names a release in MLflow's way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Permission:
    """Leave to go round the gate."""

    force: bool = False
    """Deploy whatever the gate says."""
    reason: str = ""
    """Why, as the ledger keeps it; needed with `force`."""


def resolve_uri(registry: Registry, uri: str) -> int:
    """Return the release that a model URI names now.

    Args:
        registry: holds the aliases.
        uri: `models:/xray_screening@ALIAS` or `models:/xray_screening/NUMBER`.

    Raises:
        UsageError: it names no release.
        UnknownVersionError: there is no such release, or no such alias.
    """
    match = MODEL_URI.fullmatch(uri)
    if match is None:
        raise UsageError(
            "Only releases can be deployed, filter and classifier together: expected "
            f"models:/{SCREENING}@champion or models:/{SCREENING}/NUMBER, got {uri}."
        )
    return resolve_release(registry, match["alias"] or match["number"])


def served_releases(triton: TritonControl) -> "Mapping[Role, ServedRelease]":
    """Return the release behind each front door that is open, by the server's word.

    Raises:
        ServiceUnreachableError: the server does not answer, or has another admin key.
    """
    loaded = triton.loaded_versions()
    return {
        role: read_served_release(triton.config(door, max(loaded[door])))
        for role, door in DOORS.items()
        if door in loaded
    }


def deploy(site: "Site", role: "Role", number: int | None) -> "RolloutResult":
    """Let a release, or none, answer behind one front door; the other front door keeps what it has.

    A challenger that is deployed as champion is challenger no longer.

    Raises:
        UsageError: there is no champion, or the challenger is it.
        HilumError: as `training.promote.rollout.apply` raises.
    """
    other: Role = "challenger" if role == "champion" else "champion"
    served = served_releases(site.triton).get(other)
    beside = served.number if served else None
    if role == "challenger" and beside in (None, number):
        what = f"Release {number} is champion there" if beside else "It serves no champion"
        raise UsageError(
            f"Triton at {site.triton.address} cannot take a challenger: {what}. Deploy another release as "
            f"{SCREENING} first."
        )
    expected = beside
    while True:
        releases: dict[Role, int | None] = {role: number, other: beside}
        if number == beside:
            releases["challenger"] = None  # what answers as champion needs no second front door
        result = apply(site, releases)
        found = result.previous if other == "champion" else result.previous_challenger
        if found == expected:
            return result
        # Another rollout came first and put another release there, which this one took away: let it be back.
        expected, beside = releases[other], found


def check_allowed(site: "Site", role: "Role", number: int, permission: Permission) -> str | None:
    """Return if a release may be deployed: what is champion may, and what could be promoted to be it.

    A challenger decides nothing for anybody and needs no verdict, as for `hilum promote --as challenger`.

    Returns:
        What the gate or the approvals have against it, where that is overridden; None where nothing is.

    Raises:
        UsageError: forced without a reason.
        PromotionError: the gate, or the approvals, do not allow it.
    """
    if permission.force and not permission.reason.strip():
        raise UsageError(
            "Going round the gate needs a reason, which is recorded: -C force=true -C reason=WHY"
        )
    champion = site.registry.aliases(SCREENING).get(CHAMPION)
    if role == "challenger" or number == champion:
        return None
    refusal = weigh(site.registry, site.ledger, number, champion=champion, who=site.who).refusal
    if refusal and not permission.force:
        raise PromotionError(
            f"Release {number} was not deployed. {refusal} "
            "(To go round the gate, on record: -C force=true -C reason=WHY.)"
        )
    return refusal
