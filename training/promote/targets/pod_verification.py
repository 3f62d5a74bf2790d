"""Asks Tritons that each serve one release, as KServe runs them, whether they answer as it promised.

No live repository is theirs: each pod fetched one release when it started. Each is asked by itself, as a
canary rightly answers otherwise than the champion beside it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hilum.contract import SCREENING
from hilum.errors import HilumError
from training.promote.promotion import Role
from training.promote.release import StoredRelease, fetch_release
from training.promote.triton_control import TritonControl
from training.promote.verification import check_answers
from training.promote.wanted import ROLES, Wanted
from training.registry import Registry


@dataclass(frozen=True, kw_only=True, slots=True)
class PodVerification:
    """What one Triton serves."""

    address: str
    """`host:port` of its gRPC service."""
    release: int | None
    """The release that its front door answers with; None where it has none, or did not say."""
    problems: tuple[str, ...]
    """What is wrong with it, each as a sentence; none where all is well."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PodsVerification:
    """Whether pods serve the releases that the registry names, and answer as these promised."""

    pods: tuple[PodVerification, ...]
    """Each that answers."""
    problems: tuple[str, ...]
    """What disagrees, of all of them, each as a sentence."""

    @property
    def is_passed(self) -> bool:
        """Whether nothing disagrees."""
        return not self.problems


def verify_pods(registry: Registry, triton: TritonControl, wanted: Wanted) -> PodsVerification:
    """Compare what the registry names with what each pod serves and answers; nothing is changed.

    Args:
        registry: holds the releases, also those that no alias names.
        triton: stands for the pods.
        wanted: the releases that the aliases name.

    Raises:
        RolloutError: it cannot be told whether one of them runs.
    """
    members = triton.members if triton.is_live() else ()
    pods = tuple(_verify_pod(registry, member, wanted) for member in members)
    problems = [problem for pod in pods for problem in pod.problems]
    if not pods:
        problems.append(f"No Triton answers at {triton.address}.")
    problems += _missing(pods, wanted)
    return PodsVerification(pods=pods, problems=tuple(problems))


def _verify_pod(registry: Registry, member: TritonControl, wanted: Wanted) -> PodVerification:
    release, problems = None, []
    try:
        release = max(member.loaded_versions().get(SCREENING, ()), default=None)
        if release is None:
            problems.append(f"{member.address} serves no release.")
        else:
            role, stored = _named(wanted, release)
            if role is None:
                problems.append(f"{member.address} serves release {release}, which no alias names.")
            check_answers(member, "champion", stored or fetch_release(registry, release))
    except HilumError as error:
        problems.append(f"{member.address}: {error}")
    return PodVerification(address=member.address, release=release, problems=tuple(problems))


def _named(wanted: Wanted, release: int) -> tuple[Role | None, StoredRelease | None]:
    """Return the role and what is stored of a release; None twice where no alias names it."""
    for role, stored in wanted.by_role.items():
        if stored.number == release:
            return role, stored
    return None, None


def _missing(pods: Sequence[PodVerification], wanted: Wanted) -> Iterator[str]:
    served = {pod.release for pod in pods}
    for role in ROLES:
        number = wanted.number(role)
        if pods and number is not None and number not in served:
            yield f"The registry's {role} is release {number}; no pod serves it."
