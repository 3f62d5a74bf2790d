"""A rollout in a process of its own, to which something happens at a chosen step.

The process is forked from a server that has imported everything and connected to nothing, so that a
rollout costs no start of Python.
"""

import multiprocessing
import os
import resource
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any, Literal

from tests.support.rollout_site import RolloutSite
from tests.support.servers import ADMIN_KEY
from training.ledger.ledger import Ledger
from training.promote import rollout, swap
from training.promote.promotion import Role
from training.promote.rollout import Site, apply
from training.promote.triton_control import TritonControl
from training.registry import Registry

Trouble = Literal["kill", "full_disk"]
"""What happens: SIGKILL, or no file can be written from then on."""


@dataclass(frozen=True, kw_only=True)
class Errand:
    """A rollout, and when what happens to it; everything that a new process needs."""

    mlflow: str
    live: str
    triton: str
    ledger: str
    releases: Mapping[Role, int | None]
    step: int = 0
    """Number of the step, from 1, before which it happens; 0 for never."""
    trouble: Trouble = "kill"

    @classmethod
    def at(
        cls, site: RolloutSite, mlflow: str, champion: int, challenger: int | None = None, **more: Any
    ) -> "Errand":
        """Return an errand at a test's site."""
        return cls(
            mlflow=mlflow,
            live=str(site.live),
            triton=site.address,
            ledger=site.ledger_url,
            releases={"champion": champion, "challenger": challenger},
            **more,
        )


def start(errand: Errand) -> ForkServerProcess:
    """Start a rollout."""
    process = _context().Process(target=_run, args=(errand,))
    process.start()
    return process


def run(errand: Errand) -> int | None:
    """Run a rollout to its end; return its exit status: 0 done, 1 failed, negative for a signal."""
    process = start(errand)
    process.join()
    return process.exitcode


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _run(errand: Errand) -> None:
    """Roll out, in the new process; its patches end with it."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == errand.step:
            _happen(errand.trouble)

    for owner, name in (
        (Ledger, "append"),
        (rollout, "stage"),
        (swap, "move_versions"),
        (swap, "add_front_door"),
        (swap, "remove_models"),
        (TritonControl, "load"),
        (TritonControl, "unload"),
        (rollout, "check_loaded"),
        (rollout, "check_answers"),
        (swap, "drop_unlisted_versions"),
    ):
        _before(owner, name, step)
    with TritonControl(errand.triton, ADMIN_KEY) as triton, Ledger(errand.ledger) as ledger:
        site = Site(
            registry=Registry(errand.mlflow),
            ledger=ledger,
            repository=Path(errand.live),
            triton=triton,
            instances=1,
            who="tests",
        )
        apply(site, errand.releases)


def _happen(trouble: Trouble) -> None:
    if trouble == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _before(owner: Any, name: str, step: Callable[[], None]) -> None:
    """Let each call of `owner.name` be a step."""
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        step()
        return original(*arguments, **named)

    setattr(owner, name, wrapped)
