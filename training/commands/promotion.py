"""`hilum promote` and `hilum rollback`: which release is to serve."""

from typing import Any

import click
from typing_extensions import override

from hilum.console import emit_json, stderr, stdout
from hilum.contract import SCREENING
from hilum.settings import settings
from training.commands.options import JSON, ReleaseNumber

REASON = click.option("--reason", default="", help="Why, kept in the ledger.")


class ReleaseOrNone(ReleaseNumber):
    """A release's number, `newest`, or `none`, which becomes 0."""

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """Return the number; None for the newest, 0 for none."""
        return 0 if value == "none" else super().convert(value, param, ctx)


@click.command()
@click.argument("number", type=ReleaseOrNone())
@click.option(
    "--as",
    "role",
    type=click.Choice(["champion", "challenger"]),
    default="champion",
    show_default=True,
    help="The champion answers; a challenger is loaded beside it and watched.",
)
@REASON
@click.option("--force", is_flag=True, help="Go round the gate; needs --reason, and is recorded.")
@JSON
def promote(number: int | None, role: Any, reason: str, *, force: bool, as_json: bool) -> None:
    """Make release NUMBER, or the `newest`, the champion; the champion before it becomes `previous`.

    A champion needs a passing verdict of `hilum release gate` against the champion of the moment, and the
    approvals that the gate's policy asks for. A challenger only has to be what Triton can serve; NUMBER
    `none` removes it.

    \b
    Examples:
      hilum promote 3
      hilum promote newest --as challenger
      hilum promote none --as challenger
      hilum promote 2 --force --reason "release 3 rejects portable radiographs"
    """
    from dataclasses import asdict

    from training.ledger.ledger import Ledger
    from training.promote.promotion import promote_release, remove_challenger
    from training.registry import Registry

    if number == 0 and role == "champion":
        raise click.UsageError("`none` removes a challenger: hilum promote none --as challenger.")
    here = settings()
    registry = Registry(here.mlflow_address)
    with Ledger(here.ledger_address) as ledger:
        if number == 0:
            promotion = remove_challenger(registry, ledger, who=here.actor_name, reason=reason)
        else:
            number = registry.version(SCREENING, number).number
            promotion = promote_release(
                registry, ledger, number, role=role, who=here.actor_name, reason=reason, force=force
            )
    if as_json:
        emit_json(asdict(promotion))
    elif promotion.release is None:
        gone = f"Release {promotion.previous} is no longer" if promotion.changed else "There was no"
        stdout.print(f"{gone} challenger.")
    elif promotion.changed:
        before = f" in place of release {promotion.previous}" if promotion.previous else ""
        stdout.print(f"Release {number} is the {role}{before}{', forced' if promotion.forced else ''}.")
    else:
        stdout.print(f"Release {number} already is the {role}.")
    stderr.print("Let Triton serve that with: hilum rollout apply")


@click.command()
@click.option("--to", "number", type=int, help="A release that was champion before. Default: `previous`.")
@REASON
@JSON
def rollback(number: int | None, reason: str, *, as_json: bool) -> None:
    """Make the `previous` champion, or an earlier one, champion again; no gate is asked.

    The champion that is left becomes `previous`, so a second rollback undoes the first.

    \b
    Examples:
      hilum rollback --reason "release 4 rejects portable radiographs"
      hilum rollback --to 2
    """
    from dataclasses import asdict

    from training.ledger.ledger import Ledger
    from training.promote.promotion import roll_back
    from training.registry import Registry

    here = settings()
    registry = Registry(here.mlflow_address)
    with Ledger(here.ledger_address) as ledger:
        promotion = roll_back(registry, ledger, to=number, who=here.actor_name, reason=reason)
    if as_json:
        emit_json(asdict(promotion))
    elif promotion.changed:
        stdout.print(f"Release {promotion.release} is the champion again, in place of {promotion.previous}.")
    else:
        stdout.print(f"Release {promotion.release} is the champion; nothing was changed.")
    stderr.print("Let Triton serve that with: hilum rollout apply")
