"""`hilum capacity`: how many replicas a rate of images needs."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hilum.console import emit_json, stdout
from hilum.errors import UsageError

if TYPE_CHECKING:
    from clients.capacity.planning import CapacityPlan
    from clients.capacity.replica import Replica


@click.command()
@click.option(
    "--rate", "rates", type=click.FloatRange(0, min_open=True), multiple=True, default=(1.0, 100.0, 10000.0),
    show_default=True, help="Images per second; give it again for more rows.",
)  # fmt: skip
@click.option("--replica", "names", multiple=True, help="Kind of replica; all known ones unless named.")
@click.option(
    "--replicas-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML file with kinds of your own.",
)
@click.option("--p95-ms", type=click.FloatRange(0, min_open=True), default=500.0, show_default=True,
              help="95 of 100 answers come within this time.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def capacity(
    rates: tuple[float, ...],
    names: tuple[str, ...],
    replicas_file: Path | None,
    p95_ms: float,
    *,
    as_json: bool,
) -> None:
    """Say how many replicas a rate of images needs, by a queueing simulation of one replica.

    Numbers of kinds that were not measured are assumptions, and marked so: measure yours (docs/scaling.md).

    \b
    Examples:
      hilum capacity                                      1, 100 and 10,000 images per second
      hilum capacity --rate 25 --p95-ms 300 --replica cpu-2
      hilum capacity --replicas-file mine.toml --json
    """
    from rich.table import Table

    from clients.capacity.planning import plan_capacity
    from clients.capacity.replica import known_replicas, read_replicas

    known = read_replicas(replicas_file) if replicas_file else known_replicas()
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise UsageError(f"There is no replica {', '.join(unknown)}. Known are {', '.join(sorted(known))}.")
    table = Table(box=None)
    for heading in (
        "replica",
        "images/s",
        "replicas",
        "GPUs",
        "p95 ms",
        "gives way first",
        "Gbit/s",
        "$ a month",
    ):
        table.add_column(heading, justify="left" if heading in ("replica", "gives way first") else "right")
    for name in names or known:
        for rate in rates:
            plan = plan_capacity(known[name], rate=rate, p95_s=p95_ms / 1000)
            if as_json:
                emit_json(_record(name, known[name], plan))
            else:
                table.add_row(*_row(name, known[name], plan))
    if not as_json:
        stdout.print(table)
        for name in names or known:
            stdout.print(f"{name}: {known[name].origin}")


def _record(name: str, replica: "Replica", plan: "CapacityPlan") -> Mapping[str, Any]:
    return {
        "replica": name,
        "rate": plan.rate,
        "p95_asked_s": plan.p95_s,
        "replicas": plan.replicas,
        "gpus": plan.replicas * replica.gpus,
        "rate_per_replica": plan.rate_per_replica,
        "busy": dict(plan.simulated.busy),
        "p50_s": plan.simulated.latency_s(0.5),
        "p95_s": plan.simulated.latency_s(0.95),
        "bottleneck": plan.bottleneck,
        "bandwidth_bits_per_s": plan.bandwidth_bits_per_s,
        "price_per_month": plan.price_per_month,
        "price_per_million": plan.price_per_million,
        "origin": replica.origin,
    }


def _row(name: str, replica: "Replica", plan: "CapacityPlan") -> tuple[str, ...]:
    return (
        name,
        f"{plan.rate:,g}",
        f"{plan.replicas:,}",
        f"{plan.replicas * replica.gpus:,}",
        f"{plan.simulated.latency_s(0.95) * 1000:.0f}",
        plan.bottleneck,
        f"{plan.bandwidth_bits_per_s / 1e9:,.3g}",
        f"{plan.price_per_month:,.0f}",
    )
