"""`hilum rollout`: lets Triton serve what the registry's aliases say."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from hilum.console import emit_json, stderr, stdout
from hilum.settings import settings
from training.commands.kserve import kserve
from training.commands.options import JSON
from training.commands.watch import watch

if TYPE_CHECKING:
    from training.promote.rollout import RolloutResult, Site

CHANGES_STATUS = 10
"""Exit status of `plan --exit-code` where there is something to do; 2 is a usage error here as everywhere."""


@click.group()
def rollout() -> None:
    """Let Triton serve the champion and the challenger, without losing a request."""


rollout.add_command(kserve)
rollout.add_command(watch)


@rollout.command()
@click.option(
    "--exit-code", is_flag=True, help=f"Exit status {CHANGES_STATUS} where there is something to do."
)
@JSON
def plan(*, exit_code: bool, as_json: bool) -> None:
    """Say what `hilum rollout apply` would do, and do nothing.

    Exit status: 0, also where there is something to do; with --exit-code 0 means nothing to do and 10
    something (like `terraform plan -detailed-exitcode`, whose 2 is a usage error here).

    \b
    Examples:
      hilum rollout plan
      hilum rollout plan --exit-code --json
    """
    from training.promote.rollout import plan as make_plan

    with _site() as site:
        made = make_plan(site)
    if as_json:
        emit_json(made.record)
    else:
        for line in made.lines():
            stdout.print(line, markup=False)
    if exit_code and not made.is_empty:
        raise SystemExit(CHANGES_STATUS)


@rollout.command()
@JSON
def apply(*, as_json: bool) -> None:
    """Serve the champion and the challenger: write the live model repository, load it, ask the golden cases.

    Requests go on being answered while it loads; a failure leaves the old releases answering. Where
    Triton does not run, the releases load at its next start. Aliases that were moved by hand in MLflow's
    page are first put back, or recorded, as HILUM_HAND_MOVED_ALIASES says.

    \b
    Example:
      hilum rollout apply --json
    """
    from dataclasses import asdict

    from training.promote.aliases import reconcile_aliases
    from training.promote.rollout import apply as roll_out

    with _site() as site:
        done = reconcile_aliases(
            site.registry, site.ledger, policy=settings().hand_moved_aliases, who=site.who
        )
        for change in done:
            stderr.print(change.sentence, markup=False)
        result = roll_out(site)
    if as_json:
        emit_json({**asdict(result), "address": settings().triton_address})
    else:
        for line in _sentences(result):
            stdout.print(line, markup=False)


@rollout.command()
@click.option(
    "--kserve",
    "by_kserve",
    is_flag=True,
    help="KServe runs Triton: compare the registry with each pod alone.",
)
@JSON
def verify(*, by_kserve: bool, as_json: bool) -> None:
    """Compare registry, disk and server, and ask the golden cases through each front door.

    With --kserve there is no disk to compare: each Triton at HILUM_TRITON_URL (dns:///HOST:PORT for all of
    a name's) must serve a release that an alias names, and answer as that one promised.

    Exit status: 0 all agree, 1 something disagrees; it says what, and which release answers.

    \b
    Examples:
      hilum rollout verify
      HILUM_TRITON_URL=dns:///hilum-triton-headless.models.svc:8001 hilum rollout verify --kserve
    """
    from dataclasses import asdict

    from training.errors import RolloutError
    from training.promote.rollout import verify as compare

    if by_kserve:
        _verify_pods(as_json=as_json)
        return
    with _site() as site:
        verification = compare(site)
    if as_json:
        emit_json({"passed": verification.is_passed, **asdict(verification)})
    else:
        for role in verification.roles:
            if (role.registry, role.disk, role.server) != (None, None, None):
                sides = {"registry": role.registry, "disk": role.disk, "server": role.server}
                listing = ", ".join(f"{side} {number or 'none'}" for side, number in sides.items())
                stdout.print(f"{role.role}: {listing}")
        for problem in verification.problems:
            stdout.print(f"  {problem}", markup=False)
    if not verification.is_passed:
        raise RolloutError(
            f"{len(verification.problems)} problem(s), listed above. See `hilum rollout plan`."
        )
    if not as_json:
        stdout.print("Registry, disk and server agree; the golden cases were answered as promised.")


def _verify_pods(*, as_json: bool) -> None:
    from dataclasses import asdict

    from training.errors import RolloutError
    from training.promote.targets.pod_verification import verify_pods
    from training.promote.triton_fleet import opened_triton
    from training.promote.wanted import fetch_wanted
    from training.registry import Registry

    registry = Registry(settings().mlflow_address)
    with opened_triton(settings()) as triton:
        verification = verify_pods(registry, triton, fetch_wanted(registry))
    if as_json:
        emit_json({"passed": verification.is_passed, **asdict(verification)})
    else:
        for pod in verification.pods:
            stdout.print(f"{pod.address}: release {pod.release or 'none'}", markup=False)
        for problem in verification.problems:
            stdout.print(f"  {problem}", markup=False)
    if not verification.is_passed:
        raise RolloutError(
            f"{len(verification.problems)} problem(s), listed above. `hilum rollout kserve` serves what the "
            "aliases name."
        )
    if not as_json:
        stdout.print("Registry and pods agree; the golden cases were answered as promised.")


@contextmanager
def _site() -> "Iterator[Site]":
    """Yield this installation's site."""
    from training.promote.installation import open_site

    with open_site(settings()) as site:
        yield site


def _sentences(result: "RolloutResult") -> Iterator[str]:
    address = settings().triton_address
    served = f"Release {result.release}"
    if result.challenger is not None:
        served += f", with challenger {result.challenger} beside it,"
    yield {
        "loaded": f"{served} answers at {address}; its golden cases passed.",
        "verified": f"{served} already answered at {address}; its golden cases passed again.",
        "written": f"{served} lies in {settings().live_repository}. Triton does not run at "
        f"{address}: it loads when you start it (`hilum up --detach`).",
    }[result.outcome]
