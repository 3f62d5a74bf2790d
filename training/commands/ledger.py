"""`hilum ledger`: what happened to the models, who decided it, and whether the record is whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from hilum.console import emit_json, stderr, stdout
from hilum.errors import UsageError
from hilum.settings import settings
from training.errors import LedgerError
from training.ledger.entry import Kind

if TYPE_CHECKING:
    from training.ledger.audit import Audit
    from training.ledger.ledger import Ledger


@click.group()
def ledger() -> None:
    """Read and check the record of registrations, verdicts, promotions and rollouts."""


@ledger.command()
@click.option("--kind", type=click.Choice(get_args(Kind)), help="Only entries of this kind.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Newest so many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per entry on stdout.")
def show(kind: Kind | None, limit: int, *, as_json: bool) -> None:
    """Show the newest entries, oldest first.

    \b
    Examples:
      hilum ledger show
      hilum ledger show --kind alias_moved --limit 5 --json
    """
    from collections import deque

    from rich.table import Table
    from rich.text import Text

    from training.ledger.sentences import describe, describe_time, printable

    with _ledger() as book:
        entries = deque((e for e in book.entries() if kind in (None, e.kind)), maxlen=limit)
    if as_json:
        for entry in entries:
            emit_json(entry.record)
        return
    table = Table("No.", "Time", "Kind", "Who", "What", "Why")
    for entry in entries:
        what = describe(entry)
        row = (
            str(entry.number),
            describe_time(entry.at),
            entry.kind,
            printable(entry.who),
            what,
            printable(entry.why),
        )
        table.add_row(*map(Text, row))
    stdout.print(table if entries else "The ledger has no such entries." if kind else "The ledger is empty.")


@ledger.command()
@click.option(
    "--head", "kept", metavar="NUMBER:DIGEST", help="A head that you kept: it must be in the ledger."
)
@click.option(
    "--file",
    "exported",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Check this export instead of the ledger; needs no database.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def verify(kept: str | None, exported: Path | None, *, as_json: bool) -> None:
    """Check that nothing in the ledger was altered, removed, moved or cut off; say at which entry.

    The end of the ledger is held against the head file beside it and, with --head, against one that you kept
    elsewhere: print it with `hilum ledger export`.

    Exit status: 0 whole (warnings are printed), 1 something was found.

    \b
    Examples:
      hilum ledger verify
      hilum ledger verify --head 41:9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab
      hilum ledger verify --file ledger-2026-03.jsonl --json
    """
    from training.ledger.audit import Witness, audit_records
    from training.ledger.audit_ledger import audit_ledger
    from training.ledger.exported import read_export
    from training.ledger.head import parse_head

    given = [Witness(head=parse_head(kept), source="--head")] if kept else []
    if exported:
        where, audit = str(exported), audit_records(read_export(exported), given)
    else:
        with _ledger() as book:
            where, audit = f"The ledger at {book.where}", audit_ledger(book, given)
    _print_audit(where, audit, as_json=as_json)


@ledger.command("who-served")
@click.option(
    "--at", "text", metavar="TIME", help="ISO 8601 with a zone, as 2026-03-01T14:00Z. Default: now."
)
@click.option("--target", help="Only this model repository, copy of one, or Triton address.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per release on stdout.")
def who_served_command(text: str | None, target: str | None, *, as_json: bool) -> None:
    """Say which release answered at a time, since when, who decided that, and on what verdict.

    While a rollout runs either release may have answered: both are named. A time without a zone is refused.

    \b
    Examples:
      hilum ledger who-served
      hilum ledger who-served --at 2026-03-01T14:00+01:00 --json
    """
    from training.ledger.sentences import describe_serving
    from training.ledger.serving import who_served

    at = _parse_time(text) if text else None
    with _ledger() as book:
        answer = who_served(book.entries(), at, target=target)
    for doubt in answer.doubts:
        stderr.print(doubt, markup=False)
    for serving in answer.servings:
        if as_json:
            emit_json(serving.record)
        else:
            stdout.print(describe_serving(serving), markup=False)
    if not answer.servings and not as_json:
        stdout.print("Nothing had been rolled out" + (f" to {target}." if target else "."), markup=False)


@ledger.command()
@click.argument("path", metavar="[FILE]", default="-", type=click.Path(dir_okay=False, allow_dash=True))
def export(path: str) -> None:
    """Write the whole ledger to FILE, or to stdout, as one JSON object a line.

    Anybody can check it with `hilum ledger verify --file`. The head is printed on stderr: kept where nobody
    who writes to the ledger can reach it, it proves later that nothing up to it was changed.

    \b
    Examples:
      hilum ledger export ledger.jsonl
      hilum ledger export | grep '"rolled_out"'
    """
    from hilum.files import write_atomic
    from training.ledger.audit import audit_records
    from training.ledger.exported import to_lines

    with _ledger() as book:
        records = list(book.records())
    if path == "-":
        for line in to_lines(records):
            click.echo(line, nl=False)
    else:
        write_atomic(Path(path), "".join(to_lines(records)).encode())
    stderr.print(
        f"{len(records)} entries. Head, to keep elsewhere: {audit_records(records).head}", markup=False
    )


@contextmanager
def _ledger() -> Iterator["Ledger"]:
    from training.ledger.ledger import Ledger

    with Ledger(settings().ledger_address) as book:
        yield book


def _print_audit(where: str, audit: "Audit", *, as_json: bool) -> None:
    """Print what was found; end with an error unless it is no more than warnings."""
    from dataclasses import asdict

    if as_json:
        findings = [{**asdict(finding), "warning": finding.is_warning} for finding in audit.findings]
        emit_json(
            {
                "ledger": where,
                "sound": audit.is_sound,
                "entries": audit.entries,
                "head": str(audit.head),
                "findings": findings,
            }
        )
    else:
        for finding in audit.findings:
            prefix = "Warning: " if finding.is_warning else ""
            stdout.print(f"{prefix}{finding.sentence}", markup=False)
    if not audit.is_sound:
        count = sum(not finding.is_warning for finding in audit.findings)
        raise LedgerError(f"{where} is not what was recorded: {count} finding(s), each listed above.")
    if not as_json:
        stdout.print(f"{where} is whole: {audit.entries} entries, head {audit.head}.", markup=False)


def _parse_time(text: str) -> datetime:
    """Return a time with a zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no time: expected ISO 8601 with a zone, as 2026-03-01T14:00Z."
        ) from error
    if at.tzinfo is None:
        raise UsageError(
            f"{text!r} has no zone, so it names many times: add Z for UTC, or an offset as +01:00."
        )
    if at > datetime.now(at.tzinfo):
        raise UsageError(f"{text!r} lies in the future. Leave --at out to ask for now.")
    return at
