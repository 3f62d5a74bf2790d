"""Whether a release may become champion: the gate's verdict on it, and the persons who approved.

A verdict counts if it passed, is about this content, was reached against the champion of the moment and under
the installation's policy, and is the last one that the ledger knows: MLflow's own record could be edited by
everybody who may log in there, and its tags be set back to a verdict that passed before one that failed.

Approvals count from the verdict on. Where a policy asks for N, N different persons must have approved, at
least one of them not the one who promotes: with one approval that is four eyes, with two any two persons
of whom one may promote. Persons are told apart by name only, and a name is as honest as whoever sets
`HILUM_ACTOR`: give each person an account of their own where that matters.
"""

from dataclasses import dataclass

from hilum.contract import SCREENING
from hilum.settings import settings
from training.errors import IntegrityError, PolicyError, PromotionError
from training.ledger.entry import Entry
from training.ledger.ledger import Ledger
from training.promote.release import DIGEST_TAG
from training.promote.verdict import VERDICT_RUN_TAG, VERDICT_SHA256_TAG, Verdict, fetch_verdict
from training.registry import RegisteredVersion, Registry


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What speaks for a release."""

    run_id: str | None
    """The MLflow run that holds the newest verdict; None where no gate judged it."""
    approvers: tuple[str, ...]
    """Who approved the release since a verdict that passed, each once, in order."""
    refusal: str | None
    """Why it may not become champion, and what to do; None where it may."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """The outcome of an approval."""

    release: int
    """Release number."""
    digest: str
    """Its content digest: the approval is of this content."""
    who: str
    """Who approved."""
    approvers: tuple[str, ...]
    """Everybody who approved since the verdict."""
    required: int
    """Approvals that the gate's policy asks for."""
    changed: bool
    """False where this person had approved already."""


def weigh(registry: Registry, ledger: Ledger, number: int, *, champion: int | None, who: str) -> Evidence:
    """Return what speaks for a release, and why it may not become champion, if it may not.

    Args:
        registry: holds the verdict.
        ledger: holds the judgements and approvals.
        number: the release.
        champion: the release that is champion now; None where there is none.
        who: would promote it.

    Raises:
        UnknownVersionError: there is no such release, or it was not registered by Hilum.
    """
    version = registry.version(SCREENING, number)
    passed = _find_pass(registry, ledger, version)
    if isinstance(passed, str):
        return Evidence(run_id=version.tags.get(VERDICT_RUN_TAG), approvers=(), refusal=passed)
    approvers = passed.approvers(ledger)
    refusal = _against_refusal(passed.verdict, champion)
    return Evidence(
        run_id=version.tag(VERDICT_RUN_TAG),
        approvers=approvers,
        refusal=refusal or _approval_refusal(number, approvers, passed.verdict.approvals, who),
    )


def approve_release(
    registry: Registry, ledger: Ledger, number: int, *, who: str, reason: str = ""
) -> Approval:
    """Record that `who` approves what the gate found of a release.

    Raises:
        UnknownVersionError: there is no such release.
        PromotionError: no gate passed it, so there is nothing to approve.
    """
    version = registry.version(SCREENING, number)
    passed = _find_pass(registry, ledger, version)
    if isinstance(passed, str):
        raise PromotionError(f"There is nothing to approve. {passed}")
    digest, before = version.tag(DIGEST_TAG), passed.approvers(ledger)
    if who not in before:
        facts = {"release": number, "digest": digest, "verdict_run": version.tag(VERDICT_RUN_TAG)}
        ledger.append("approved", who=who, why=reason, facts=facts)
    return Approval(
        release=number,
        digest=digest,
        who=who,
        approvers=passed.approvers(ledger),
        required=passed.verdict.approvals,
        changed=who not in before,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pass:
    """A verdict that let a release pass, and the ledger's record of it."""

    verdict: Verdict
    judged: Entry

    def approvers(self, ledger: Ledger) -> tuple[str, ...]:
        """Return who approved the release's content since, each once, in order."""
        who = [
            entry.who
            for entry in ledger.entries(after=self.judged.number)
            if entry.kind == "approved" and entry.facts.get("digest") == self.verdict.digest
        ]
        return tuple(dict.fromkeys(who))


def _find_pass(registry: Registry, ledger: Ledger, version: RegisteredVersion) -> _Pass | str:
    """Return the newest verdict where it passed, else why it does not count and which command to run."""
    number = version.number
    gate = f"hilum release gate {number} --data DIR"
    try:
        verdict = fetch_verdict(registry, number)
    except IntegrityError as error:
        return str(error)
    if verdict is None:
        return f"No gate has judged release {number}. Judge it: {gate}"
    if verdict.digest != version.tag(DIGEST_TAG):
        return (
            f"The verdict on release {number} is about another content than the release has. Judge it: {gate}"
        )
    if verdict.outcome != "passed":
        return f"{verdict.sentence} Mend what it names, or judge it again on more cases: {gate}"
    judgements = [
        entry
        for entry in ledger.entries()
        if entry.kind == "judged" and entry.facts.get("digest") == verdict.digest
    ]
    if not any(_is_record_of(entry, version) for entry in judgements):
        return (
            f"The ledger at {ledger.where} has no record of the verdict on release {number}: it was reached "
            f"with another ledger, or not by a gate. Judge it again: {gate}"
        )
    last = judgements[-1]
    if not _is_record_of(last, version):
        return (
            f"The verdict that release {number} is tagged with is not the last one: by the ledger's entry "
            f"{last.number}, {last.who} judged it since ({last.facts.get('outcome')}). Judge it again: {gate}"
        )
    return _policy_refusal(verdict) or _Pass(verdict=verdict, judged=last)


def _policy_refusal(verdict: Verdict) -> str | None:
    """Return that a verdict was reached under another policy than the installation's; None where not.

    The policies' names do not matter: a copy of the file demands the same.
    """
    wanted = settings().gate_policy
    if not wanted:
        return None
    from training.promote.gate.policy import load_policy

    try:
        demands = load_policy(wanted).model_dump(mode="json", exclude={"name"})
    except PolicyError as error:
        return f"HILUM_GATE_POLICY cannot be read: {error}"
    if {key: value for key, value in verdict.policy_settings.items() if key != "name"} == demands:
        return None
    return (
        f"The verdict on release {verdict.release} was reached under the policy {verdict.policy}, whose "
        f"demands are not those of HILUM_GATE_POLICY ({wanted}). "
        f"Judge it again: hilum release gate {verdict.release} --data DIR --policy {wanted}"
    )


def _is_record_of(entry: Entry, version: RegisteredVersion) -> bool:
    """Whether a judgement in the ledger is the one that the release is tagged with, and passed it."""
    tags = {"run_id": VERDICT_RUN_TAG, "digest": DIGEST_TAG, "verdict_sha256": VERDICT_SHA256_TAG}
    same = all(entry.facts.get(fact) == version.tags.get(tag) for fact, tag in tags.items())
    return same and entry.facts.get("outcome") == "passed"


def _against_refusal(verdict: Verdict, champion: int | None) -> str | None:
    """Return that the verdict is about another change than the one to be made; None where it is not."""
    if verdict.against == champion:
        return None
    then = f"release {verdict.against}" if verdict.against else "no champion"
    now = f"release {champion} is" if champion else "none is"
    return (
        f"The verdict on release {verdict.release} was reached against {then}, and {now} champion now. "
        f"Judge it again: hilum release gate {verdict.release} --data DIR"
    )


def _approval_refusal(number: int, approvers: tuple[str, ...], required: int, who: str) -> str | None:
    """Return which approvals are missing; None where there are enough."""
    so_far = f"{', '.join(approvers) or 'nobody'} approved release {number}"
    if len(approvers) < required:
        return (
            f"The gate's policy asks for {required} approval(s), and {so_far}. "
            f"Let another person run: hilum release approve {number}"
        )
    if required and set(approvers) == {who}:
        return (
            f"Only {so_far}, who is promoting it: somebody else has to approve. "
            f"Let another person run: hilum release approve {number}"
        )
    return None
