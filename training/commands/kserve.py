"""`hilum rollout kserve`: the releases that the aliases name, served by KServe."""

from pathlib import Path

import click

from hilum.console import emit_json, stderr, stdout
from hilum.settings import settings
from training.commands.options import JSON


@click.command()
@click.option("--service", default="hilum", show_default=True, help="Name of the InferenceService.")
@click.option("--namespace", default="default", show_default=True, help="Its namespace.")
@click.option(
    "--storage", required=True, help="Where pods fetch releases: s3://BUCKET/PREFIX or pvc://CLAIM/FOLDER."
)
@click.option(
    "--mount",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the folder that a pvc:// address names is mounted here.",
)
@click.option(
    "--canary-percent",
    type=click.IntRange(0, 100),
    default=10,
    show_default=True,
    help="The challenger's share of the traffic.",
)
@click.option(
    "--template",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML of the InferenceService to create where there is none.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    default=900,
    show_default=True,
    help="Longest wait for one step, in seconds.",
)
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Default: the pod's own account, or else what KUBECONFIG names.",
)
@click.option("--context", default="", help="Context of the kubeconfig. Default: its current one.")
@JSON
def kserve(
    service: str,
    namespace: str,
    storage: str,
    mount: Path | None,
    canary_percent: int,
    template: Path | None,
    timeout_s: float,
    kubeconfig: Path | None,
    context: str,
    *,
    as_json: bool,
) -> None:
    """Let KServe serve the champion, and the challenger as a canary.

    Canary, promotion and rollback are the same command: move the aliases (`hilum promote`, `hilum rollback`)
    and run it again. A new release first runs without traffic; if it does not get ready, it is taken away
    again and what answered before goes on answering. Before the challenger gets traffic, a gate must have
    passed it, as for a promotion; with --canary-percent 0 it runs without.

    \b
    Examples:
      hilum rollout kserve --storage s3://models/releases --template inferenceservice.yaml
      hilum rollout kserve --storage s3://models/releases --canary-percent 25
      hilum rollout kserve --storage pvc://models/releases --mount /mnt/models/releases
    """
    from dataclasses import asdict

    from training.ledger.ledger import Ledger
    from training.promote.aliases import reconcile_aliases
    from training.promote.targets.canary import check_canary
    from training.promote.targets.cluster import Cluster
    from training.promote.targets.inference_service import load_template
    from training.promote.targets.kserve_rollout import roll_out
    from training.promote.targets.publication import Storage, publish
    from training.promote.targets.traffic_steps import Goal
    from training.promote.wanted import fetch_wanted
    from training.registry import Registry

    here = settings()
    cluster = Cluster(namespace, service, kubeconfig=kubeconfig, context=context)
    place = Storage.parse(storage, mount)
    first = load_template(template) if template else None
    registry = Registry(here.mlflow_address)
    with Ledger(here.ledger_address) as ledger:
        for change in reconcile_aliases(
            registry, ledger, policy=here.hand_moved_aliases, who=here.actor_name
        ):
            stderr.print(change.sentence, markup=False)
        wanted = fetch_wanted(registry)
        goal = Goal(
            champion=wanted.by_role["champion"].number,
            challenger=wanted.number("challenger"),
            percent=canary_percent,
            storage=place.url,
        )
        check_canary(registry, ledger, goal, who=here.actor_name)
        publish(registry, wanted, place, instances=here.instances)
        result = roll_out(cluster, ledger, goal, who=here.actor_name, template=first, timeout_s=timeout_s)
    if as_json:
        emit_json({**asdict(result), "target": cluster.target})
        return
    for step in result.steps:
        stdout.print(step)
    beside = f", release {result.challenger} gets {result.percent} %" if result.challenger else ""
    where = f" at {result.url}" if result.url else ""
    stdout.print(f"Release {result.champion} answers{where}{beside}.")
