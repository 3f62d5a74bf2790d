"""Says what a rollout would do, before it does it."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from hilum.contract import CLASSIFIER, FILTER
from training.promote.aliases import look
from training.promote.serving import Difference, find_differences, find_serving
from training.promote.site import Belief, Site
from training.promote.wanted import ROLES, Wanted, fetch_wanted, find_role
from training.repository.served_release import Lineup, ServedRelease

if TYPE_CHECKING:
    from training.promote.promotion import Role


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleChange:
    """The releases of one role, before and after."""

    role: "Role"
    """The role; its front door opens where `before` is None and closes where `after` is."""
    before: int | None
    """The release that answers."""
    after: int | None
    """The release that is to answer."""
    thresholds: Mapping[str, tuple[float, float]]
    """Thresholds that change from one release to the other, by finding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkChange:
    """A network that a rollout loads or drops."""

    action: Literal["load", "drop"]
    """What happens to it."""
    model: str
    """The served model."""
    version: int
    """Its version."""
    sha256: str | None
    """Of the network that is loaded; None of one that is dropped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a rollout would do."""

    roles: tuple[RoleChange, ...]
    """Every role, changed or not."""
    networks: tuple[NetworkChange, ...]
    """Networks that are loaded and dropped; what both lineups share stays loaded."""
    differences: tuple[Difference, ...]
    """What on the disk, in the server or in the mirror is not as the releases need it."""
    unrecorded: tuple[str, ...]
    """Aliases that the ledger does not know of, each as a sentence: somebody moved them by hand."""
    triton: str
    """Address of the server."""
    is_triton_live: bool
    """Whether it answers; a rollout then loads, else the server loads at its next start."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.differences

    @property
    def record(self) -> dict[str, Any]:
        """The plan as JSON has it."""
        return {"nothing_to_do": self.is_empty, **asdict(self)}

    def lines(self) -> Iterator[str]:
        """Yield the plan for a reader, a line each."""
        if self.is_empty:
            served = " and ".join(
                f"release {change.after} as {change.role}"
                for change in self.roles
                if change.after is not None
            )
            yield f"Nothing to do: {served} is served as the registry says."
        else:
            for change in self.roles:
                yield from _role_lines(change)
            for network in self.networks:
                digest = f" ({network.sha256[:12]})" if network.sha256 else ""
                sign = "+" if network.action == "load" else "-"
                yield f"  {sign} {network.action} {network.model} {network.version}{digest}"
            if not self.networks:
                yield "    no network is loaded or dropped"
            if all(change.before == change.after for change in self.roles):
                yield from (f"  ~ {difference.sentence}" for difference in self.differences)
            if not self.is_triton_live:
                yield f"Triton does not answer at {self.triton}: it loads this at its next start."
        yield from self.unrecorded


def plan(site: Site, releases: "Mapping[Role, int | None] | None" = None) -> Plan:
    """Return what `apply` would do; nothing is changed, and no network is downloaded.

    Args:
        site: where.
        releases: what is to serve instead of what the aliases say, by role; as for `apply`.

    Raises:
        UnknownVersionError: nothing is champion, or there is no such release.
        IntegrityError: what the registry holds is not what was registered.
        ServiceUnreachableError: the registry does not answer, or Triton has another admin key.
    """
    wanted = fetch_wanted(site.registry, releases)
    triton = site.triton if site.triton.is_live() else None
    serving = find_serving(site.repository, triton)
    roles, networks = changes_between(serving, wanted)
    return Plan(
        roles=roles,
        networks=networks,
        differences=tuple(differences_of(site, wanted, believe="etags")),
        unrecorded=tuple(drift.sentence for drift in look(site.registry, site.ledger).drifts),
        triton=site.triton.address,
        is_triton_live=triton is not None,
    )


def changes_between(
    serving: Lineup | None, wanted: Wanted
) -> tuple[tuple[RoleChange, ...], tuple[NetworkChange, ...]]:
    """Return how the roles, and what is loaded for them, change from one lineup to the next.

    Args:
        serving: what answers; None where nothing does.
        wanted: what is to answer.
    """
    roles = (_role_change(role, find_role(serving, role), find_role(wanted.lineup, role)) for role in ROLES)
    return tuple(roles), (*_loaded(serving, wanted), *_dropped(serving, wanted))


def differences_of(site: Site, wanted: Wanted, *, believe: Belief) -> list[Difference]:
    """Return all that a rollout would have to change at a site.

    Args:
        site: where.
        wanted: what is to serve.
        believe: what is believed of the mirror.
    """
    triton = site.triton if site.triton.is_live() else None
    found = find_differences(site.repository, triton, wanted, instances=site.instances)
    if site.mirror:
        found += [
            Difference(where="mirror", model="", sentence=sentence)
            for sentence in site.mirror.differences(site.repository, believe=believe)
        ]
    return found


def _role_change(role: "Role", before: ServedRelease | None, after: ServedRelease | None) -> RoleChange:
    changed = {}
    if before and after:
        old, new = before.operating_point.thresholds, after.operating_point.thresholds
        changed = {finding: (old[finding], new[finding]) for finding in new if old[finding] != new[finding]}
    return RoleChange(
        role=role,
        before=before.number if before else None,
        after=after.number if after else None,
        thresholds=changed,
    )


def _loaded(serving: Lineup | None, wanted: Wanted) -> Iterator[NetworkChange]:
    there = _networks(serving)
    for (model, version), sha256 in wanted.networks.items():
        if (model, version) not in there:
            yield NetworkChange(action="load", model=model, version=version, sha256=sha256)


def _dropped(serving: Lineup | None, wanted: Wanted) -> Iterator[NetworkChange]:
    for model, version in _networks(serving):
        if (model, version) not in wanted.networks:
            yield NetworkChange(action="drop", model=model, version=version, sha256=None)


def _networks(lineup: Lineup | None) -> list[tuple[str, int]]:
    releases = lineup.releases if lineup else ()
    pairs = [(model, release.version_of(model)) for model in (FILTER, CLASSIFIER) for release in releases]
    return list(dict.fromkeys(pairs))


def _role_lines(change: RoleChange) -> Iterator[str]:
    if change.before == change.after:
        if change.after is not None:
            yield f"{change.role}: release {change.after} stays"
    elif change.before is None:
        yield f"{change.role}: release {change.after} begins to answer"
    elif change.after is None:
        yield f"{change.role}: release {change.before} goes, and its front door with it"
    else:
        yield f"{change.role}: release {change.before} -> release {change.after}"
    for finding, (before, after) in change.thresholds.items():
        yield f"  ~ threshold of {finding}: {before:g} -> {after:g}"
