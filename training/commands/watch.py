"""`hilum rollout watch`: keeps Triton at what the registry says."""

import logging

import click

from hilum.console import stdout
from hilum.settings import settings


@click.command()
@click.option("--once", is_flag=True, help="Make one pass and end; the exit status says how it went.")
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(min=0.1),
    default=30.0,
    show_default=True,
    help="Seconds between two passes where no webhook comes.",
)
@click.option(
    "--register-webhook",
    "webhook_url",
    metavar="[URL]",
    is_flag=False,
    flag_value="",
    default=None,
    help="Let MLflow send its alias events here. Give a URL where MLflow reaches this process by another "
    "address than HILUM_HOST and HILUM_WATCH_PORT.",
)
def watch(*, once: bool, interval_s: float, webhook_url: str | None) -> None:
    """Roll out whenever an alias moves: woken by MLflow's signed webhooks, and by polling.

    A pass compares the registry with the server and rolls out where they differ; a failed pass is made
    again, after a growing pause. It can be killed at any time: the next pass, of this or another watcher,
    goes on. HTTP on HILUM_HOST:HILUM_WATCH_PORT: POST /webhooks/mlflow, GET /healthz, /readyz, /metrics.

    \b
    Examples:
      hilum rollout watch --register-webhook
      hilum rollout watch --interval 10
      hilum rollout watch --once                 one pass, for cron
    """
    from training.promote.watch.run import run_once, run_watch

    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    logging.getLogger("training.promote.watch").setLevel(logging.INFO)
    if once:
        stdout.print(run_once(settings()).sentence)
    else:
        run_watch(settings(), interval_s=interval_s, webhook_url=webhook_url)
