"""`hilum serve`: Triton alone, in the foreground."""

from pathlib import Path

import click

from hilum.console import stderr, stdout
from hilum.interrupt import until_stopped
from hilum.settings import settings


@click.command()
@click.option(
    "--repository",
    type=click.Path(path_type=Path),
    help="Model repository to serve. Default: the live one, which `hilum rollout apply` writes.",
)
@click.option("--host", help="Address to listen on. Default: HILUM_HOST, else loopback.")
@click.option("--http-port", type=click.IntRange(1, 65535), help="Default: HILUM_HTTP_PORT, else 8000.")
@click.option("--grpc-port", type=click.IntRange(1, 65535), help="Default: HILUM_GRPC_PORT, else 8001.")
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="Default: HILUM_METRICS_PORT, else 8002.")
def serve(
    repository: Path | None,
    host: str | None,
    http_port: int | None,
    grpc_port: int | None,
    metrics_port: int | None,
) -> None:
    """Run Triton on a model repository until Ctrl-C.

    Every model of the repository is loaded. Calls that change the server need the admin key.

    \b
    Examples:
      hilum serve                                    the live repository
      hilum serve --repository DIR --http-port 18000 --grpc-port 18001 --metrics-port 18002
    """
    from hilum.triton.process import running
    from hilum.triton.server import TritonServer

    given = {"host": host, "http_port": http_port, "grpc_port": grpc_port, "metrics_port": metrics_port}
    chosen = settings().model_copy(update={name: value for name, value in given.items() if value is not None})
    server = TritonServer.from_settings(chosen, repository or chosen.live_repository)
    log = chosen.home / "logs" / f"serve-{chosen.http_port}.log"
    with until_stopped():
        stderr.print(f"Starting Triton on {server.repository} ...")
        with running(server, log) as process:
            stdout.print(f"gRPC     {server.addresses.grpc}")
            stdout.print(f"HTTP     {server.addresses.http_url}")
            stdout.print(f"metrics  {server.addresses.metrics_url}")
            stdout.print(f"log      {log}")
            stderr.print("Triton is ready. Ctrl-C stops it.")
            process.watch()
    stderr.print("Triton stopped.")
