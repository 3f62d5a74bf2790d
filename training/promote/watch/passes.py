"""One pass of the watcher: compare the registry with the server, and roll out where they differ."""

import logging
import time
from dataclasses import dataclass
from typing import Literal

from hilum.contract import SCREENING
from training.errors import RefusedReleaseError
from training.promote.aliases import HandMoved, reconcile_aliases
from training.promote.decisions import read_decisions
from training.promote.plan import differences_of
from training.promote.rollout import apply
from training.promote.rollout_record import is_recorded
from training.promote.site import Site
from training.promote.triton_control import TritonControl
from training.promote.wanted import DOORS, ROLES, fetch_wanted
from training.promote.watch.metrics import WatchMetrics
from training.registry import CHAMPION

Result = Literal["loaded", "verified", "written", "nothing"]
"""What a rollout did, or that there was none to do."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pass:
    """What a pass did."""

    result: Result
    """What came of it."""
    champion: int | None
    """The release that is to answer, and does unless the result is `written`; None where none is to."""
    challenger: int | None
    """Likewise the challenger."""

    @property
    def sentence(self) -> str:
        """What it did, for a person."""
        if self.champion is None:
            return "No release is champion: nothing is to be served."
        beside = f", release {self.challenger} as challenger" if self.challenger else ""
        which = f"Release {self.champion} as champion{beside}"
        return {
            "loaded": f"{which}: loaded, and the golden cases passed.",
            "verified": f"{which}: answered already, and the golden cases passed again.",
            "written": f"{which}: written; Triton does not run, and loads it when it starts.",
            "nothing": f"{which}: nothing to do.",
        }[self.result]


def make_pass(site: Site, metrics: WatchMetrics, *, hand_moved: HandMoved) -> Pass:
    """Bring the server to what the registry says, and tell the metrics.

    Args:
        site: where.
        metrics: told of what is served and of every rollout.
        hand_moved: what to do with aliases that were moved in MLflow's page.

    Raises:
        RefusedReleaseError: a release broke its promise here before, and is not tried again.
        HilumError: the registry, the ledger or the server does not play its part; what served, serves.
    """
    for reconciled in reconcile_aliases(site.registry, site.ledger, policy=hand_moved, who=site.who):
        log.warning("%s", reconciled.sentence)
    since = read_decisions(site.ledger).since
    metrics.set_promoted({role: since[role] for role in ROLES if role in since})
    aliases = site.registry.aliases(SCREENING)
    wanted: dict[str, int] = {role: aliases[role] for role in ROLES if role in aliases}
    served = tell_served(site.triton, metrics)
    result: Result = "nothing"
    differs = is_untold = False
    if CHAMPION in wanted:
        differs, is_untold = _compare(site)
    metrics.set_drift(disagree=differs or served != wanted)
    if differs or is_untold:
        result = _roll_out(site, metrics)
    metrics.set_refused(refused=False)
    if result != "nothing":
        metrics.set_drift(disagree=tell_served(site.triton, metrics) != wanted)
    done = Pass(result=result, champion=wanted.get("champion"), challenger=wanted.get("challenger"))
    if result != "nothing":
        log.info("%s", done.sentence)
    return done


def tell_served(triton: TritonControl, metrics: WatchMetrics) -> dict[str, int]:
    """Tell the metrics which releases the server says it serves, by role, and return them."""
    loaded = triton.loaded_versions() if triton.is_live() else {}
    served: dict[str, int] = {role: max(loaded[door]) for role, door in DOORS.items() if door in loaded}
    metrics.set_served(served)
    return served


def _compare(site: Site) -> tuple[bool, bool]:
    """Return whether disk or server differ from the registry, and whether the ledger lacks the last rollout.

    It does where that one failed, or the process was killed before it could record how it ended.
    """
    wanted = fetch_wanted(site.registry)
    outcome = "verified" if site.triton.is_live() else "written"
    # A pass comes every half minute: reading a bucket whole each time would cost gigabytes an hour.
    differs = bool(differences_of(site, wanted, believe="notes"))
    return differs, not is_recorded(site, wanted, outcome)


def _roll_out(site: Site, metrics: WatchMetrics) -> Result:
    start = time.monotonic()
    try:
        outcome = apply(site, again=False).outcome
    except RefusedReleaseError:
        metrics.set_refused(refused=True)
        raise
    except BaseException:
        metrics.count_rollout("failed", time.monotonic() - start)
        raise
    metrics.count_rollout(outcome, time.monotonic() - start)
    return outcome
