"""`hilum up`, `hilum down` and `hilum status`: the local stack."""

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

import click
from rich.table import Table

from hilum.console import emit_json, progress_bar, stderr, stdout
from hilum.errors import ServiceUnreachableError
from hilum.interrupt import until_stopped
from hilum.monitoring.programs import missing_programs
from hilum.settings import settings
from hilum.stack.stack import ServiceStatus, Stack
from hilum.triton.addresses import TritonAddresses

if TYPE_CHECKING:
    from hilum.triton.admin import ModelState


@click.command()
@click.option("--detach", is_flag=True, help="Return once everything is ready; `hilum down` stops it.")
def up(*, detach: bool) -> None:
    """Start MLflow, Triton, the rollout watcher and the dashboard on this machine, and keep them running.

    Prometheus and Alertmanager too, where they are installed, with the alerts of docs/runbooks;
    HILUM_ALERT_WEBHOOK names the URL that receives them.

    State lives in HILUM_HOME (default .hilum): databases, logs, the live model repository. A server
    that dies is started again. Without --detach everything stops with Ctrl-C.

    \b
    Examples:
      hilum up                   in the foreground, until Ctrl-C
      hilum up --detach          in the background, until `hilum down`
      HILUM_HTTP_PORT=18000 HILUM_GRPC_PORT=18001 HILUM_METRICS_PORT=18002 hilum up
    """
    stack = Stack(settings())
    if detach or stack.is_running():
        _start(stack)
        stderr.print("Everything is ready. `hilum status` says how it is, `hilum down` stops it.")
        return
    with until_stopped():
        try:
            _start(stack)
            stderr.print("Everything is ready. Ctrl-C stops it.")
            stack.wait_stopped()
        finally:
            stderr.print("Stopping ...")
            stack.stop()
    stderr.print("Everything has stopped.")


@click.command()
def down() -> None:
    """Stop what `hilum up` started, and wait until it is gone.

    \b
    Example:
      hilum down
    """
    stopped = Stack(settings()).stop()
    stderr.print("Everything has stopped." if stopped else "Nothing was running.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line on stdout.")
def status(*, as_json: bool) -> None:
    """Say what runs, where it answers, and which models Triton has loaded.

    Exit status: 0 if everything is healthy, 4 if a server does not answer.

    \b
    Examples:
      hilum status
      hilum status --json | jq -r 'select(.service) | "\\(.service) \\(.healthy)"'
    """
    from hilum.tls import TlsFiles
    from hilum.triton.admin import fetch_model_states

    services = Stack(settings()).status()
    if as_json:
        for service in services:
            emit_json(asdict(service))
    else:
        stdout.print(_service_table(services))
    _say_missing()
    if any(service.service == "triton" and service.healthy for service in services):
        address = TritonAddresses.from_settings(settings()).grpc
        tls = TlsFiles.from_settings(settings())
        models = fetch_model_states(address, settings().read_admin_key(), tls)
        if as_json:
            for model in models:
                emit_json(asdict(model))
        elif models:
            stdout.print(_model_table(models))
    for service in services:
        if not service.healthy:
            raise ServiceUnreachableError(service.service, service.address, "Start it with: hilum up")


def _start(stack: Stack) -> None:
    """Start the stack, show how far each service is, and print where it answers."""
    with progress_bar() as progress:
        tasks = {service.name: progress.add_task(service.name, total=1) for service in stack.services}
        for service in stack.start():
            progress.update(tasks[service.name], completed=1)
            if progress.disable:
                stderr.print(f"{service.name} is ready.")
    for service in stack.services:
        stdout.print(f"{service.name:12} {service.address}")
    _say_missing()


def _say_missing() -> None:
    """Say what of monitoring is not installed, what is lost by that, and the command that installs it."""
    for program in missing_programs():
        text = f"{program.name} is not installed: {program.without}. To get it:\n{program.remedy}"
        stderr.print(text, soft_wrap=True)  # a command that is broken over two lines cannot be copied


def _service_table(services: list[ServiceStatus]) -> Table:
    table = Table("service", "state", "healthy", "pid", "uptime", "address")
    for service in services:
        table.add_row(
            service.service,
            service.state,
            "yes" if service.healthy else "no",
            str(service.pid or ""),
            str(timedelta(seconds=service.uptime_s)) if service.pid else "",
            service.address,
        )
    return table


def _model_table(models: list["ModelState"]) -> Table:
    table = Table("model", "version", "state", "reason")
    for model in models:
        table.add_row(model.model, model.version, model.state, model.reason)
    return table
