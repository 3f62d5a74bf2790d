"""`hilum release`: from two networks to a release that may become champion."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hilum.console import emit_json, stderr, stdout
from hilum.contract import SCREENING
from hilum.settings import settings
from training.commands.defects import print_defects
from training.commands.gate import gate
from training.commands.options import DATA, JSON, ReleaseNumber
from training.commands.release_compare import compare
from training.repository.triton_releases import OLDEST_SUPPORTED

if TYPE_CHECKING:
    from rich.table import Table

    from training.promote.difference import Difference
    from training.registry import Registry


@click.group()
def release() -> None:
    """Pin a filter and a classifier into a release, and look at releases."""


@release.command()
@click.option("--filter", "filter_version", type=int, help="Registry version of the filter. Default: newest.")
@click.option("--classifier", "classifier_version", type=int, help="Of the classifier. Default: newest.")
@DATA
@JSON
def create(
    filter_version: int | None, classifier_version: int | None, folder: Path, *, as_json: bool
) -> None:
    """Pin two networks, the operating point, and golden cases from the data set's test split.

    With them a reference sample: how both networks score up to 500 valid radiographs of the validation
    split, which the monitor compares with what it serves.

    The same networks on the same data make the same release, which is stored once.

    \b
    Examples:
      hilum release create --data DIR
      hilum release create --filter 3 --classifier 7 --data DIR --json
    """
    from training.ledger.ledger import Ledger
    from training.promote.release_creation import create_release

    with Ledger(settings().ledger_address) as ledger:
        number, made, is_new = create_release(
            _registry(),
            ledger,
            folder,
            who=settings().actor_name,
            filter_version=filter_version,
            classifier_version=classifier_version,
        )
    if as_json:
        emit_json(
            {
                "release": number,
                "new": is_new,
                "digest": made.digest,
                "filter": made.filter.version,
                "classifier": made.classifier.version,
                "golden_cases": len(made.golden_cases),
                "reference_sha256": made.reference_sha256,
            }
        )
        return
    what = "Created" if is_new else "These networks and data already are"
    stdout.print(
        f"{what} release {number}: filter {made.filter.version}, classifier {made.classifier.version}, "
        f"{len(made.golden_cases)} golden cases, digest {made.digest[:12]}."
    )
    stderr.print(f"Judge it with: hilum release gate {number} --data DIR")


@release.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per release on stdout.")
def list_all(*, as_json: bool) -> None:
    """List the releases, oldest first, with their aliases.

    \b
    Example:
      hilum release list
    """
    from datetime import UTC, datetime

    from rich.table import Table

    from training.promote.release import list_releases

    table = Table("Release", "Aliases", "Verdict", "Filter", "Classifier", "Created", "Digest")
    for row in list_releases(_registry()):
        created = datetime.fromtimestamp(row.created_ms / 1000, UTC).isoformat(timespec="seconds")
        if as_json:
            emit_json(
                {
                    "release": row.number,
                    "aliases": row.aliases,
                    "verdict": row.verdict,
                    "filter": row.filter_version,
                    "classifier": row.classifier_version,
                    "created": created,
                    "digest": row.digest,
                }
            )
        table.add_row(
            str(row.number),
            ", ".join(row.aliases),
            (row.verdict or "").replace("_", " "),
            str(row.filter_version or "?"),
            str(row.classifier_version or "?"),
            created,
            (row.digest or "?")[:12],
        )
    if not as_json:
        stdout.print(table)


@release.command()
@click.argument("number", type=int)
@JSON
def show(number: int, *, as_json: bool) -> None:
    """Show what release NUMBER pins, after checking its digests.

    \b
    Example:
      hilum release show 3 --json
    """
    from training.promote.release import fetch_release

    stored = fetch_release(_registry(), number)
    record = {"release": number, "digest": stored.release.digest, **stored.release.model_dump(mode="json")}
    if as_json:
        emit_json(record)
    else:
        stdout.print_json(data=record)


@release.command()
@click.argument("first", type=int)
@click.argument("second", type=ReleaseNumber())
@JSON
def diff(first: int, second: int | None, *, as_json: bool) -> None:
    """Show how release SECOND, or the `newest`, differs from release FIRST.

    Networks, digests, thresholds, temperatures, training data, recipe and code revision, and the golden cases
    that they answer differently.

    \b
    Examples:
      hilum release diff 2 3
      hilum release diff 2 newest --json
    """
    from training.promote.difference import compare_releases
    from training.promote.release import fetch_release

    registry = _registry()
    second = registry.version(SCREENING, second).number
    difference = compare_releases(fetch_release(registry, first), fetch_release(registry, second))
    if as_json:
        emit_json(difference.record)
    elif difference.is_empty:
        stdout.print(f"Releases {first} and {second} are the same.")
    else:
        stdout.print(_difference_table(difference))


@release.command()
@click.argument("number", type=ReleaseNumber())
@click.option(
    "--triton",
    default=OLDEST_SUPPORTED,
    show_default=True,
    metavar="YY.MM",
    help="The Triton release that is to serve it: its ONNX Runtime must read both networks.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per defect: file, problem, remedy.")
def lint(number: int | None, triton: str, *, as_json: bool) -> None:
    """Find what keeps release NUMBER, or the `newest`, from being served, without a server.

    Downloads what the release pins and lays it out as a rollout would: names, shapes, types, labels, digests,
    decoder, missing external data, version clashes with the live repository, opset and IR version, and the
    golden cases against ONNX Runtime.

    Exit status: 0 it can be served, 1 something has to be mended.

    \b
    Examples:
      hilum release lint newest
      hilum release lint 3 --triton 25.08 --json
    """
    from training.promote.release_lint import lint_release

    registry = _registry()
    number = registry.version(SCREENING, number).number
    defects = lint_release(registry, number, triton=triton, repository=settings().live_repository)
    print_defects(defects, of=f"Release {number}", as_json=as_json)
    if not as_json:
        stdout.print(f"Release {number}: Triton {triton} can serve it.")


@release.command()
@click.argument("number", type=ReleaseNumber())
@click.option("--reason", default="", help="What you looked at, kept in the ledger.")
@JSON
def approve(number: int | None, reason: str, *, as_json: bool) -> None:
    """Approve what the gate found of release NUMBER, or of the `newest`, under your name (HILUM_ACTOR).

    Where the gate's policy asks for N approvals, N different persons must have approved since the verdict,
    at least one of them not the one who promotes.

    \b
    Example:
      HILUM_ACTOR=amira hilum release approve 3 --reason "read verdict.html"
    """
    from dataclasses import asdict

    from training.ledger.ledger import Ledger
    from training.promote.evidence import approve_release

    registry = _registry()
    number = registry.version(SCREENING, number).number
    with Ledger(settings().ledger_address) as ledger:
        approval = approve_release(registry, ledger, number, who=settings().actor_name, reason=reason)
    if as_json:
        emit_json(asdict(approval))
        return
    done = "approves" if approval.changed else "had already approved"
    stdout.print(
        f"{approval.who} {done} release {number}; so far {', '.join(approval.approvers)} "
        f"({len(approval.approvers)} of {approval.required} that the gate's policy asks for).",
        markup=False,
    )


def _difference_table(difference: "Difference") -> "Table":
    """Return a difference as a table; digests are shortened."""
    from rich.table import Table
    from rich.text import Text

    table = Table("What", f"Release {difference.first}", f"Release {difference.second}")
    for change in difference.changes:
        table.add_row(change.what, *(Text(_short(value)) for value in (change.before, change.after)))
    for golden in difference.golden_changes:
        gap = golden.largest_difference
        moved = "" if gap is None else f", probabilities differ by up to {gap:.3f}"
        table.add_row(
            f"golden case {golden.image[:12]}{moved}",
            *(_short(each) for each in (golden.before, golden.after)),
        )
    return table


def _short(value: object) -> str:
    """Return a value for a table: a digest by its beginning, what is unknown as a dash."""
    if value is None:
        return "-"
    return value[:12] if isinstance(value, str) and len(value) >= 32 else str(value)


def _registry() -> "Registry":
    from training.registry import Registry

    return Registry(settings().mlflow_address)


release.add_command(gate)
release.add_command(compare)
