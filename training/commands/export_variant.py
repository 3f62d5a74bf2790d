"""`hilum export variant`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.commands.options import DATA, JSON, MODEL

if TYPE_CHECKING:
    from training.export.variant.build import VariantPrecision

VERSION = click.option(
    "--version", "number", type=int, help="Registry version. Default: the newest that is no variant."
)
"""Which registered version another form is made of."""


@click.command(short_help="Register an FP16 or int8 variant of a network.")
@MODEL
@click.option("--precision", required=True, type=click.Choice(["fp16", "int8"]), help="Of the variant.")
@DATA
@VERSION
@JSON
def variant(
    network: str,
    precision: "VariantPrecision",
    folder: Path,
    number: int | None,
    as_json: bool,  # noqa: FBT001  click's flag
) -> None:
    """Register a variant of a NETWORK (`filter` or `classifier`) that computes in FP16 or int8.

    It is registered as the next version, with the original's lineage and operating point, only if its values
    and decisions on --data's validation split keep to the policy of its precision. int8 is calibrated on 64
    images of the training split. A release pins it like any other version, and its gate judges it like any
    other release.

    \b
    Examples:
      hilum export variant classifier --precision fp16 --data DIR
      hilum export variant classifier --precision int8 --version 3 --data DIR --json
    """
    from hilum.console import emit_json, stdout
    from hilum.settings import settings
    from training.data.cache import RadiographCache
    from training.data.metadata import load_metadata
    from training.export.variant.build import build_variant
    from training.ledger.ledger import Ledger
    from training.registry import Registry

    data = load_metadata(folder)
    cache = RadiographCache.open(settings().home / "cache")
    with Ledger(settings().ledger_address) as ledger:
        made = build_variant(
            Registry(settings().mlflow_address),
            ledger,
            data,
            cache,
            model=f"xray_{network}",
            precision=precision,
            number=number,
            who=settings().actor_name,
        )
    if as_json:
        emit_json(
            {
                "model": made.version.name,
                "version": made.version.number,
                "passport": made.passport.model_dump(mode="json"),
            }
        )
        return
    decisions = made.passport.decisions
    assert decisions is not None
    stdout.print(
        f"{made.version.name} version {made.version.number}: the {precision} variant of version "
        f"{made.passport.variant_of}, layers {_listing(made.passport.layers)}. Decided alike: "
        f"{decisions.agreed} of {decisions.images} ({decisions.rate:.3f}, 95 % interval "
        f"{decisions.lower:.3f} to {decisions.upper:.3f})."
    )
    for value in made.passport.values:
        stdout.print(
            f"  {value.output}: {value.max_difference:.2g} ({value.scale}, allowed {value.allowed:.2g})"
        )
    for case in decisions.disagreements:
        kind = "borderline" if case.borderline else f"{case.margin:.2g} from the threshold"
        stdout.print(f"  {case.digest[:12]}: {case.reference} became {case.found}, {kind}")


def _listing(layers: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {precision}" for precision, count in layers.items())
