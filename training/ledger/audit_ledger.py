"""Checks a ledger in its database against every head that is at hand."""

from collections.abc import Sequence
from dataclasses import replace

from training.errors import LedgerError
from training.ledger.audit import Audit, Finding, Witness, audit_records
from training.ledger.ledger import Ledger
from training.ledger.tables import HEAD


def audit_ledger(ledger: Ledger, given: Sequence[Witness] = ()) -> Audit:
    """Check a ledger against its head in the database, its head file, and heads that were kept elsewhere.

    Others may append meanwhile: heads are read before the entries, and the database's once more after them.

    Args:
        ledger: the ledger.
        given: heads that were kept elsewhere.

    Raises:
        ServiceUnreachableError: PostgreSQL does not answer.
        LedgerError: the database itself is damaged.
    """
    heads_before, unreadable = _heads(ledger)
    audit = audit_records(ledger.records(), [*given, *heads_before.values()])
    findings = [*audit.findings, *unreadable]
    if audit.entries and not ledger.head_file.path.exists():
        findings.append(
            Finding(
                problem="no_head",
                entry=None,
                sentence=f"There is no {ledger.head_file.path}, which an append from this machine leaves: "
                "entries cut off the end together with their head would not be missed. "
                "Hold the ledger against a head that was kept elsewhere with --head NUMBER:DIGEST.",
            )
        )
    if HEAD.name in heads_before and audit.head.number > (newest := ledger.head().number):
        findings.append(
            Finding(
                problem="rewritten",
                entry=newest + 1,
                sentence=f"Hilum did not append what stands after entry {newest}: the table {HEAD.name} "
                f"ends there, the entries end at {audit.head.number}.",
            )
        )
    return replace(audit, findings=tuple(findings))


def _heads(ledger: Ledger) -> tuple[dict[str, Witness], list[Finding]]:
    """Return the heads that the database and the head file hold, by source, and which cannot be read."""
    heads: dict[str, Witness] = {}
    findings = []
    path = ledger.head_file.path
    for source, name, read in (
        (HEAD.name, f"the table {HEAD.name}", ledger.head),
        ("file", str(path), ledger.head_file.read),
    ):
        try:
            head = read()
        except LedgerError as error:
            findings.append(Finding(problem="unreadable", entry=None, sentence=str(error)))
        else:
            if head:
                heads[source] = Witness(head=head, source=name)
    return heads, findings
