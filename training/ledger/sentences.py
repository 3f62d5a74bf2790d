"""Entries, and who served, in plain words."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from training.ledger.entry import Entry, Kind
from training.ledger.serving import Certainty, Serving


class _Facts(dict[str, Any]):
    """Facts of which any may be missing: an entry of an older or a newer Hilum is still told."""

    def __missing__(self, key: str) -> str:
        return "?"


def describe(entry: Entry) -> str:
    """Return what an entry records as one line, without who and why; fit for a terminal."""
    return printable(_WORDS[entry.kind](_Facts(entry.facts)))


def describe_serving(serving: Serving) -> str:
    """Return who served since when, who decided it, and on what evidence, in a few lines."""
    rollout, decision, verdict = serving.rollout, serving.decision, serving.verdict
    lines = [
        f"{serving.role} of {serving.target}{f' at {serving.triton}' if serving.triton else ''}: "
        f"release {serving.release} {_HAS[serving.certainty]} {describe_time(rollout.at)}, "
        f"rolled out by {rollout.who} (entry {rollout.number}){f': {rollout.why}' if rollout.why else '.'}"
    ]
    if decision is None:
        lines.append(
            f"  No decision of an alias stands behind it: by the ledger, {serving.role} was another release "
            f"or none.{_forced(rollout)}"
        )
    else:
        forced = ", forced past the gate" if serving.was_forced else ""
        why = f": {decision.why}" if decision.why else "."
        when = f"{describe_time(decision.at)} (entry {decision.number}{forced})"
        lines.append(f"  Decided by {decision.who} at {when}{why}")
    if verdict is None:
        lines.append("  No verdict of the gate on it is in the ledger.")
    else:
        lines.append(f"  {describe(verdict)} (entry {verdict.number}).")
    if serving.approvals:
        lines.append(f"  Approved by {', '.join(entry.who for entry in serving.approvals)}.")
    return "\n".join(printable(line) for line in lines)


def _forced(rollout: Entry) -> str:
    """Say that a rollout went past the gate, and what the gate had against it."""
    overrode = rollout.facts.get("overrode")
    return f" It was deployed past the gate: {overrode}" if overrode else ""


def describe_time(at: datetime) -> str:
    """Return a time in UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def printable(text: str) -> str:
    """Return `text` with what would steer a terminal replaced: the ledger holds what callers typed."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _short(digest: object) -> str:
    return str(digest)[:12]


def _registered(facts: _Facts) -> str:
    return f"{facts['model']} version {facts['version']} registered, SHA-256 {_short(facts['sha256'])}"


def _released(facts: _Facts) -> str:
    return (
        f"release {facts['release']} made of filter {facts['filter']} and classifier {facts['classifier']}, "
        f"digest {_short(facts['digest'])}"
    )


def _judged(facts: _Facts) -> str:
    outcome = str(facts["outcome"]).replace("cannot_tell", "cannot tell")
    against = f"against release {facts['against']}" if facts["against"] is not None else "without a champion"
    return f"gate on release {facts['release']}: {outcome}, {against}, policy {facts['policy']}"


def _approved(facts: _Facts) -> str:
    return f"release {facts['release']} approved, digest {_short(facts['digest'])}"


def _moved(facts: _Facts) -> str:
    release = "removed" if facts["release"] is None else f"is now release {facts['release']}"
    before = "" if facts["before"] is None else f", before release {facts['before']}"
    return f"{facts['alias']} {release}{before}{' (forced past the gate)' if facts['forced'] is True else ''}"


def _adopted(facts: _Facts) -> str:
    return f"{_moved(facts)}, moved by hand in MLflow"


def _rollout(ending: str) -> Callable[[_Facts], str]:
    def words(facts: _Facts) -> str:
        challenger = "" if facts["challenger"] is None else f", challenger {facts['challenger']}"
        triton = f" (Triton at {facts['triton']})" if facts["triton"] else ""
        error = f": {facts['error']}" if "error" in facts else ""
        outcome = f": {facts['outcome']}" if "outcome" in facts else ""
        what = "no release" if facts["champion"] is None else f"champion {facts['champion']}{challenger}"
        return f"rollout of {what} to {facts['target']}{triton} {ending}{outcome}{error}"

    return words


_WORDS: dict[Kind, Callable[[_Facts], str]] = {
    "registered": _registered,
    "released": _released,
    "judged": _judged,
    "approved": _approved,
    "alias_moved": _moved,
    "adopted": _adopted,
    "rollout_began": _rollout("began"),
    "rolled_out": _rollout("done"),
    "rollout_failed": _rollout("failed"),
}

_HAS: dict[Certainty, str] = {
    "answered": "answered since",
    "may_have_answered": "may have answered; since",
    "written": "lay ready for Triton's next start since",
}
