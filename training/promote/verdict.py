"""What a gate leaves: a verdict on one release, stored in MLflow and readable without running a gate.

The verdict is `verdict.json` and `verdict.html` in a run of its own. Tags on the release's version say its
outcome, where it lies, against which champion it was reached, and the SHA-256 of the file, so that a verdict
that somebody edited afterwards is not taken for the gate's.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import ValidationError

from hilum.contract import SCREENING
from hilum.files import sha256_bytes
from training import artifacts
from training.config import Section
from training.errors import IntegrityError
from training.registry import Registry

Outcome = Literal["passed", "failed", "cannot_tell"]
"""`cannot_tell`: the evidence speaks neither for nor against the release."""

CheckOutcome = Literal["passed", "failed", "cannot_tell", "skipped"]
"""`skipped`: there was nothing to check, and the sentence says why."""

VERDICT_TAG = "hilum.verdict"
"""The newest verdict's outcome."""

VERDICT_RUN_TAG = "hilum.verdict_run"
"""The MLflow run that holds it."""

VERDICT_AGAINST_TAG = "hilum.verdict_against"
"""The champion that the release was compared with; `none` where there was none."""

VERDICT_SHA256_TAG = "hilum.verdict_sha256"
"""SHA-256 of `verdict.json`."""

NO_CHAMPION = "none"

VERDICT_FOLDER = "verdict"
"""Artifact folder of a verdict's run."""

VERDICT_FILE = "verdict.json"
PAGE_FILE = "verdict.html"


class Check(Section):
    """One thing that the gate looked at."""

    name: str
    """What was checked, such as `covid19 sensitivity, no worse than the champion`."""
    outcome: CheckOutcome
    sentence: str
    """What was found, what was expected, and for `cannot_tell` what would settle it."""
    numbers: Mapping[str, Any] = {}
    """The numbers behind the sentence, by name; None where a number is not defined."""


class Verdict(Section):
    """What a gate decided about one release, and on what evidence."""

    format: Literal[1] = 1
    """Raised when a field changes its meaning."""
    release: int
    """Release number."""
    digest: str
    """The release's content digest: a verdict is about this content."""
    against: int | None
    """The release that it was compared with; None where there was no champion."""
    policy: str
    """Name of the policy."""
    policy_settings: Mapping[str, Any] = {}
    """The policy in full, defaults included."""
    approvals: int
    """Persons who must approve before the release may become champion."""
    outcome: Outcome
    """Of all checks together, under the policy."""
    checks: tuple[Check, ...]
    """In the order in which they were made."""
    judged_at: datetime
    """When the gate ended, with its time zone."""
    judged_by: str
    """Who ran the gate."""
    data: str
    """Name of the data set's folder."""
    data_digest: str
    """Digest of the data set."""
    n_images: int
    """Images of the test split that were sent through the front door."""
    code_revision: str
    """Revision of the code that judged."""

    @property
    def sentence(self) -> str:
        """The outcome for a reader, with what kept the release back, or would have under another policy."""
        found = {
            outcome: [check for check in self.checks if check.outcome == outcome]
            for outcome in ("failed", "cannot_tell")
        }
        whom = f"release {self.release}" + (f" against release {self.against}" if self.against else "")
        if self.outcome == "failed":
            return f"The gate failed {whom}: {_named(found['failed'])}."
        if self.outcome == "cannot_tell":
            return f"The gate cannot tell whether {whom} is good enough: {_named(found['cannot_tell'])}."
        passed = f"The gate passed {whom} under the policy {self.policy}"
        if found["cannot_tell"]:
            return f"{passed}, which lets pass what it could not tell: {_named(found['cannot_tell'])}."
        return f"{passed}."

    def to_json(self) -> bytes:
        """Return the content of `verdict.json`."""
        return self.model_dump_json(indent=1).encode()

    @property
    def sha256(self) -> str:
        """SHA-256 of `verdict.json`."""
        return sha256_bytes(self.to_json())


def combine(checks: Sequence[Check], *, allow_cannot_tell: bool) -> Outcome:
    """Return the outcome of all checks together: each must hold.

    Args:
        checks: those that were skipped do not count.
        allow_cannot_tell: whether a check that cannot tell holds nothing back.
    """
    outcomes = {check.outcome for check in checks}
    if "failed" in outcomes:
        return "failed"
    if "cannot_tell" in outcomes and not allow_cannot_tell:
        return "cannot_tell"
    return "passed"


def store_verdict(verdict: Verdict, page: str) -> str:
    """Store a verdict and its HTML page in a run of its own, and return the run's id."""
    return artifacts.store_files(
        SCREENING,
        f"gate of release {verdict.release}",
        {VERDICT_FILE: verdict.to_json(), PAGE_FILE: page.encode()},
        VERDICT_FOLDER,
        {VERDICT_TAG: verdict.outcome, "hilum.release": str(verdict.release)},
    )


def tag_verdict(registry: Registry, verdict: Verdict, run_id: str) -> None:
    """Let a release's tags name the verdict on it.

    The run's id comes after what it must agree with: where this is cut short, the release has its verdict of
    before, or one that `fetch_verdict` refuses.
    """
    against = NO_CHAMPION if verdict.against is None else str(verdict.against)
    registry.set_version_tags(
        SCREENING,
        verdict.release,
        {
            VERDICT_SHA256_TAG: verdict.sha256,
            VERDICT_AGAINST_TAG: against,
            VERDICT_RUN_TAG: run_id,
            VERDICT_TAG: verdict.outcome,
        },
    )


def fetch_verdict(registry: Registry, number: int) -> Verdict | None:
    """Return the newest stored verdict of a release; None where no gate judged it.

    Raises:
        UnknownVersionError: there is no such release.
        IntegrityError: what is stored is not what the gate left, or cannot be read by this version.
    """
    version = registry.version(SCREENING, number)
    if VERDICT_RUN_TAG not in version.tags:
        return None
    again = f"Judge it again: hilum release gate {number} --data DIR"
    with artifacts.downloaded(version.tags[VERDICT_RUN_TAG], VERDICT_FOLDER) as folder:
        path = folder / VERDICT_FILE
        content = path.read_bytes() if path.is_file() else b""
    if sha256_bytes(content) != version.tags.get(VERDICT_SHA256_TAG):
        raise IntegrityError(
            f"The stored verdict of release {number} is not the one that its tags name: it was changed, or "
            f"its storing was cut short. {again}"
        )
    try:
        verdict = Verdict.model_validate_json(content)
    except ValidationError as error:
        raise IntegrityError(
            f"The verdict of release {number} cannot be read by this version of Hilum: {error} {again}"
        ) from error
    if verdict.release != number:
        raise IntegrityError(
            f"The verdict that release {number} is tagged with is about release {verdict.release}. {again}"
        )
    return verdict


def _named(checks: Sequence[Check]) -> str:
    return "; ".join(check.name for check in checks)
