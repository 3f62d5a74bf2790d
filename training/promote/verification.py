"""Compares what the registry says, what lies on the disk, what the server runs, and what it answers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hilum.errors import HilumError
from training.errors import BrokenPromiseError, RolloutError
from training.promote.asking import FrontDoorAnswer
from training.promote.promise import find_broken_promise
from training.promote.release import StoredRelease, fetch_release
from training.promote.serving import find_differences, read_disk
from training.promote.site import Site
from training.promote.triton_control import TritonControl
from training.promote.wanted import DOORS, ROLES, Wanted, fetch_wanted

if TYPE_CHECKING:
    from training.promote.promotion import Role


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleVerification:
    """Which release each side names in one role; None where it names none."""

    role: "Role"
    """The role."""
    registry: int | None
    """The release that is to serve."""
    disk: int | None
    """The release of the front door in the live repository."""
    server: int | None
    """The release that answers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """Whether registry, disk and server agree, and the golden cases are answered as promised."""

    roles: tuple[RoleVerification, ...]
    """One for each role."""
    problems: tuple[str, ...]
    """What disagrees, each as a sentence; none where all is well."""

    @property
    def is_passed(self) -> bool:
        """Whether nothing disagrees."""
        return not self.problems


def verify(site: Site, releases: "Mapping[Role, int | None] | None" = None) -> Verification:
    """Compare registry, disk, server and answers; nothing is changed.

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
    loaded = triton.loaded_versions() if triton else {}
    roles = []
    for role in ROLES:
        disk = read_disk(site.repository, DOORS[role])
        roles.append(
            RoleVerification(
                role=role,
                registry=wanted.number(role),
                disk=disk.number if disk else None,
                server=max(loaded.get(DOORS[role], ()), default=None),
            )
        )
    problems = [*(problem for role in roles for problem in _disagreements(role, triton))]
    if triton is None:
        problems.append(f"Triton does not answer at {site.triton.address}: start it with `hilum up`.")
    for difference in find_differences(site.repository, triton, wanted, instances=site.instances):
        problems.append(f"{difference.where.capitalize()}: {difference.sentence}")
    if site.mirror:
        found = site.mirror.differences(site.repository, believe="nothing")
        problems += [f"Mirror: {sentence}" for sentence in found]
    if triton:
        problems += _broken_promises(site, triton, wanted, roles)
    return Verification(roles=tuple(roles), problems=tuple(problems))


def check_loaded(triton: TritonControl, stored: StoredRelease) -> None:
    """Ask the golden cases of a release of its networks themselves, before a front door is theirs.

    Raises:
        BrokenPromiseError: an answer is not the promised one.
        RolloutError: a network does not answer.
    """
    served = stored.release.served(stored.number)
    _check(stored, lambda image: triton.screen_by_steps(image, served))


def check_answers(triton: TritonControl, role: "Role", stored: StoredRelease) -> None:
    """Ask a front door the golden cases of the release that is to be behind it.

    Raises:
        BrokenPromiseError: an answer is not the promised one.
        RolloutError: another release answers, or none.
    """

    def ask(image: bytes) -> FrontDoorAnswer:
        answer = triton.screen(image, door=DOORS[role])
        if answer.release != stored.number:
            raise RolloutError(
                f"Release {answer.release} answers as {role} instead of release {stored.number}."
            )
        return answer

    _check(stored, ask)


def _check(stored: StoredRelease, ask: Callable[[bytes], FrontDoorAnswer]) -> None:
    problem = find_broken_promise(stored, ask)
    if problem:
        raise BrokenPromiseError(stored.number, stored.release.digest, problem)


def _disagreements(role: RoleVerification, triton: TritonControl | None) -> Iterator[str]:
    expected = f"The registry's {role.role} is {_name(role.registry)}"
    if role.disk != role.registry:
        yield f"{expected}; on the disk it is {_name(role.disk)}."
    if triton and role.server != role.registry:
        yield f"{expected}; {_name(role.server)} answers as {role.role}."


def _broken_promises(
    site: Site, triton: TritonControl, wanted: Wanted, roles: list[RoleVerification]
) -> Iterator[str]:
    """Yield where a release that answers, the wanted one or another, does not answer as it promised."""
    for role in roles:
        if role.server is None:
            continue
        try:
            stored = wanted.by_role.get(role.role)
            if stored is None or stored.number != role.server:
                stored = fetch_release(site.registry, role.server)
            check_answers(triton, role.role, stored)
        except HilumError as error:
            yield str(error)


def _name(number: int | None) -> str:
    return "no release" if number is None else f"release {number}"
