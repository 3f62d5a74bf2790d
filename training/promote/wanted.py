"""What is to serve: the releases that the aliases, or a caller, name, as the registry holds them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from hilum.contract import CHALLENGER_SCREENING, CLASSIFIER, FILTER, SCREENING
from training.errors import UnknownVersionError
from training.promote.release import StoredRelease, fetch_release
from training.repository.served_release import Lineup, ServedRelease

if TYPE_CHECKING:
    from training.promote.promotion import Role
    from training.registry import Registry

ROLES: tuple["Role", ...] = ("champion", "challenger")
"""The roles of releases that serve; each is an alias in the registry."""

DOORS: "Mapping[Role, str]" = MappingProxyType({"champion": SCREENING, "challenger": CHALLENGER_SCREENING})
"""The front door of each role."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """The releases that are to serve."""

    by_role: "Mapping[Role, StoredRelease]"
    """What the registry holds of each; a role without a release is left out."""

    def number(self, role: "Role") -> int | None:
        """Return the release number of a role; None where it has no release."""
        return self.by_role[role].number if role in self.by_role else None

    @property
    def lineup(self) -> Lineup:
        """What the model repository has to know of them."""
        served = {role: stored.release.served(stored.number) for role, stored in self.by_role.items()}
        return Lineup(champion=served["champion"], challenger=served.get("challenger"))

    @property
    def networks(self) -> dict[tuple[str, int], str]:
        """The SHA-256 of each network that they pin, by model and version."""
        return {
            (model, pinned.version): pinned.sha256
            for stored in self.by_role.values()
            for model, pinned in ((FILTER, stored.release.filter), (CLASSIFIER, stored.release.classifier))
        }

    @property
    def references(self) -> dict[int, bytes]:
        """The reference samples that their monitors compare with, by release number."""
        return {
            stored.number: stored.reference
            for stored in self.by_role.values()
            if stored.reference is not None
        }


def fetch_wanted(registry: "Registry", releases: "Mapping[Role, int | None] | None" = None) -> Wanted:
    """Return the releases that are to serve, their digests checked.

    Args:
        registry: holds them.
        releases: what is to serve instead of what the aliases say, by role: a role that is left out keeps
            what its alias says, None stands for no release.

    Raises:
        UnknownVersionError: nothing is champion, or there is no such release.
        IntegrityError: what is stored is not what was registered.
    """
    aliases = registry.aliases(SCREENING)
    numbers = {role: aliases.get(role) for role in ROLES} | dict(releases or {})
    if numbers["champion"] is None:
        raise UnknownVersionError("No release is champion. Make one so with `hilum promote NUMBER`.")
    return Wanted(
        by_role={
            role: fetch_release(registry, number) for role, number in numbers.items() if number is not None
        }
    )


def find_role(lineup: Lineup | None, role: "Role") -> ServedRelease | None:
    """Return the release that serves in a role; None where none does."""
    return lineup.doors.get(DOORS[role]) if lineup else None
