"""What the ledger says of a network that was registered."""

from training.ledger.ledger import Ledger
from training.registry import SHA256_TAG, RegisteredVersion


def record_registration(ledger: Ledger, version: RegisteredVersion, *, who: str, why: str = "") -> None:
    """Record a registration, unless the ledger has it: one that was cut short is recorded by who uses it."""
    facts = {
        "model": version.name,
        "version": version.number,
        "sha256": version.tag(SHA256_TAG),
        "run_id": version.run_id,
    }
    if not any(entry.kind == "registered" and entry.facts == facts for entry in ledger.entries()):
        ledger.append("registered", who=who, facts=facts, why=why)
