"""`hilum release gate`: the checks between a release and the champion's place."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.commands.options import DATA, JSON, ReleaseNumber

if TYPE_CHECKING:
    from rich.table import Table

    from training.promote.verdict import Verdict


@click.command()
@click.argument("number", type=ReleaseNumber())
@DATA
@click.option(
    "--against",
    default="champion",
    show_default=True,
    help="Compare with this release: an alias or a number. Only a verdict against the champion of the "
    "moment counts for promotion.",
)
@click.option(
    "--policy",
    help="What the release must reach: `default`, `demo`, or a YAML file (docs/gate.md). Default: what "
    "HILUM_GATE_POLICY says, else `default`.",
)
@click.option(
    "--hostile",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of files that must not harm the server, beside those that are made here.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="HTML file to write. Default: gates/release-NUMBER.html in HILUM_HOME.",
)
@JSON
def gate(
    number: int | None,
    folder: Path,
    against: str,
    policy: str | None,
    hostile: Path | None,
    out: Path | None,
    as_json: bool,  # noqa: FBT001  click passes flags by name
) -> None:
    """Judge release NUMBER, or the `newest`, on the test split, as a real Triton would serve it.

    Parity, floors of sensitivity and specificity, no worse than the champion on the same cases, latency,
    golden cases, hostile files. Both releases are served by temporary Tritons on free ports; what runs here
    is not touched. The verdict goes to MLflow, as JSON and as a page, and into the ledger.

    Exit status: 0 passed, 1 failed or cannot tell (the sentence says which).

    \b
    Examples:
      hilum release gate 3 --data DIR
      hilum release gate newest --data DIR --policy strict.yaml --hostile DIR
      hilum release gate 3 --against 1 --data DIR --json
    """
    from hilum.console import emit_json, stderr, stdout
    from hilum.contract import SCREENING
    from hilum.files import write_atomic
    from hilum.interrupt import until_stopped
    from hilum.settings import settings
    from training.errors import GateError
    from training.ledger.ledger import Ledger
    from training.promote.gate.gate import GateRequest, judge_release, record_verdict
    from training.promote.gate.page import render_page
    from training.promote.gate.policy import load_policy
    from training.registry import Registry

    here = settings()
    rules = load_policy(policy or here.gate_policy or "default")
    registry = Registry(here.mlflow_address)
    release = registry.version(SCREENING, number).number
    request = GateRequest(
        release=release,
        against=against,
        data=folder,
        policy=rules,
        hostile=hostile,
        home=here.home,
        instances=here.instances,
        who=here.actor_name,
    )
    verdict = None
    with until_stopped():  # or SIGTERM would leave the temporary Tritons behind
        verdict = judge_release(registry, request)
    if verdict is None:
        raise click.Abort
    page = render_page(verdict)
    with Ledger(here.ledger_address) as ledger:
        run_id = record_verdict(registry, ledger, verdict, page)
    out = out or here.home / "gates" / f"release-{release}.html"
    write_atomic(out, page.encode())
    if as_json:
        emit_json({"run_id": run_id, "out": str(out), **verdict.model_dump(mode="json")})
    else:
        stdout.print(_table(verdict))
    stderr.print(f"Verdict in {out}, and in the MLflow run {run_id}.", markup=False)
    if verdict.outcome != "passed":
        raise GateError(verdict.sentence)
    stderr.print(verdict.sentence, markup=False)


def _table(verdict: "Verdict") -> "Table":
    """Return the checks as a table, in words rather than colours alone."""
    from rich.table import Table
    from rich.text import Text

    styles = {"passed": "green", "failed": "bold red", "cannot_tell": "yellow", "skipped": "dim"}
    table = Table("Check", "Outcome", "What was found", title=Text(verdict.sentence))
    for check in verdict.checks:
        outcome = Text(check.outcome.replace("_", " "), style=styles[check.outcome])
        table.add_row(Text(check.name), outcome, Text(check.sentence))
    return table
