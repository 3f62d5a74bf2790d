"""`hilum release`, `hilum promote` and `hilum rollout`: from two networks to what Triton serves."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hilum.console import emit_json, stderr, stdout
from hilum.contract import SCREENING
from hilum.settings import settings
from training.commands.options import DATA, JSON

if TYPE_CHECKING:
    from training.registry import Registry


class ReleaseNumber(click.ParamType[int | None]):
    """A release's number, or the word `newest`, which becomes None."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """Return the number; None for the newest."""
        if value == "newest":
            return None
        return click.INT.convert(value, param, ctx)


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
    """Pin two networks, the operating point and golden cases from the data set's test split.

    The same networks on the same data make the same release, which is stored once.

    \b
    Examples:
      hilum release create --data DIR
      hilum release create --filter 3 --classifier 7 --data DIR --json
    """
    from training.promote.release import create_release

    number, made, is_new = create_release(
        _registry(), folder, filter_version=filter_version, classifier_version=classifier_version
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
            }
        )
        return
    what = "Created" if is_new else "These networks and data already are"
    stdout.print(
        f"{what} release {number}: filter {made.filter.version}, classifier {made.classifier.version}, "
        f"{len(made.golden_cases)} golden cases, digest {made.digest[:12]}."
    )
    stderr.print(f"Make it the champion with: hilum promote {number}")


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

    table = Table("Release", "Aliases", "Filter", "Classifier", "Created", "Digest")
    for row in list_releases(_registry()):
        created = datetime.fromtimestamp(row.created_ms / 1000, UTC).isoformat(timespec="seconds")
        if as_json:
            emit_json(
                {
                    "release": row.number,
                    "aliases": row.aliases,
                    "filter": row.filter_version,
                    "classifier": row.classifier_version,
                    "created": created,
                    "digest": row.digest,
                }
            )
        table.add_row(
            str(row.number),
            ", ".join(row.aliases),
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


@click.command()
@click.argument("number", type=ReleaseNumber())
@click.option("--reason", default="", help="Why, kept with the release.")
@JSON
def promote(number: int | None, reason: str, *, as_json: bool) -> None:
    """Make release NUMBER, or the `newest`, the champion; the champion before it becomes `previous`.

    \b
    Examples:
      hilum promote 3
      hilum promote newest
      hilum promote 2 --reason "release 3 rejects portable radiographs"
    """
    from dataclasses import asdict

    from training.promote.promotion import promote_release

    registry = _registry()
    number = registry.version(SCREENING, number).number
    promotion = promote_release(registry, number, reason=reason)
    if as_json:
        emit_json(asdict(promotion))
    elif promotion.changed:
        before = f" in place of release {promotion.previous}" if promotion.previous else ""
        stdout.print(f"Release {number} is the champion{before}.")
    else:
        stdout.print(f"Release {number} already is the champion.")
    stderr.print("Serve it with: hilum rollout")


@click.command()
@JSON
def rollout(*, as_json: bool) -> None:
    """Serve the champion: write the live model repository, load it into Triton, ask its golden cases.

    Requests go on being answered while it loads; a failure leaves the old release answering. Where
    Triton does not run, the champion loads at its next start.

    \b
    Example:
      hilum rollout --json
    """
    from dataclasses import asdict

    from training.promote.rollout import roll_out
    from training.promote.triton_control import TritonControl

    here = settings()
    with TritonControl(here.triton_address, here.read_admin_key()) as triton:
        result = roll_out(_registry(), here.live_repository, triton, instances=here.instances)
    if as_json:
        emit_json({**asdict(result), "address": here.triton_address})
        return
    sentences = {
        "loaded": f"Release {result.release} answers at {here.triton_address}; its golden cases passed.",
        "verified": f"Release {result.release} already answered at {here.triton_address}; "
        "its golden cases passed again.",
        "written": f"Release {result.release} lies in {here.live_repository}. Triton does not run at "
        f"{here.triton_address}: it loads when you start it (`hilum up --detach`).",
    }
    stdout.print(sentences[result.outcome])


def _registry() -> "Registry":
    from training.registry import Registry

    return Registry(settings().mlflow_address)
