"""Entries of the ledger in the reader's language; `hilum ledger show` has them in English."""

from typing import TYPE_CHECKING, Any

from dashboard.language import mark, tr

if TYPE_CHECKING:
    from training.ledger.entry import Entry

OUTCOMES = {
    "passed": mark("passed"),
    "failed": mark("failed"),
    "cannot_tell": mark("cannot tell"),
    "skipped": mark("not asked"),
}
"""Word of each outcome of the gate, and of each of its checks."""


def outcome_word(outcome: object) -> str:
    """Return an outcome in words; empty for none."""
    return tr(OUTCOMES[str(outcome)]) if outcome in OUTCOMES else ""


def role_word(role: object) -> str:
    """Return the name of an alias."""
    return {
        "champion": tr("Champion"),
        "challenger": tr("Challenger"),
        "previous": tr("Champion before"),
    }.get(str(role), str(role))


def describe(entry: "Entry") -> str:
    """Return what an entry records, without who and why."""
    facts = entry.facts
    release = facts.get("release", "?")
    match entry.kind:
        case "registered":
            return tr("{model} version {n} registered", model=facts.get("model"), n=facts.get("version"))
        case "released":
            return tr("release {n} made", n=release)
        case "judged":
            return tr(
                "the gate on release {n}: {outcome}", n=release, outcome=outcome_word(facts.get("outcome"))
            )
        case "approved":
            return tr("release {n} approved", n=release)
        case "alias_moved" | "adopted":
            return _moved(entry)
        case "rollout_began":
            return tr("rollout of release {n} began", n=_champion(facts))
        case "rolled_out":
            return tr("release {n} rolled out", n=_champion(facts))
        case "rollout_failed":
            return tr(
                "rollout of release {n} failed: {error}", n=_champion(facts), error=facts.get("error", "?")
            )


def _moved(entry: "Entry") -> str:
    facts = entry.facts
    role = role_word(facts.get("alias"))
    if facts.get("release") is None:
        moved = tr("{role}: none any more", role=role)
    else:
        moved = tr("{role}: release {n}", role=role, n=facts["release"])
    remarks = {
        tr("past the gate"): facts.get("forced") is True,
        tr("rolled back"): facts.get("rollback") is True,
        tr("moved by hand in MLflow"): entry.kind == "adopted",
    }
    said = ", ".join(remark for remark, holds in remarks.items() if holds)
    return f"{moved} ({said})" if said else moved


def _champion(facts: "dict[str, Any] | Any") -> object:
    champion = facts.get("champion")
    return "-" if champion is None else champion
