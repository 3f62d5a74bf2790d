"""`hilum export`: a network of a training run, or another form of one that is registered."""

from pathlib import Path

import click

from training.commands.export_tensorrt import passport, tensorrt
from training.commands.export_variant import variant
from training.commands.options import DATA, JSON, RUN


@click.group()
def export() -> None:
    """Export a trained network to ONNX, or make a variant or a TensorRT build of a registered one.

    \b
    Examples:
      hilum export filter --data DIR
      hilum export classifier --data DIR --run 0123abcd --json
      hilum export variant classifier --precision fp16 --data DIR
      hilum export tensorrt classifier --data DIR --output DIR
    """


def _network_command(network: str) -> click.Command:
    """Return `hilum export filter` or `hilum export classifier`."""

    @click.command(
        network,
        short_help=f"Export a trained {network} to ONNX.",
        help=f"""Export a trained {network} to ONNX, prove parity, register it in MLflow.

        The file holds resizing, normalisation, temperature, threshold, row gate, activation map and
        embedding. It is registered only if it answers as the torch network does on radiographs of
        --data's validation split.

        \b
        Examples:
          hilum export {network} --data DIR
          hilum export {network} --data DIR --run 0123abcd --json
        """,
    )
    @DATA
    @RUN
    @JSON
    def command(folder: Path, run_id: str | None, as_json: bool) -> None:  # noqa: FBT001  click's flag
        _export(network, folder, run_id, as_json=as_json)

    return command


def _export(network: str, folder: Path, run_id: str | None, *, as_json: bool) -> None:
    from hilum.console import emit_json, stdout
    from hilum.settings import settings
    from training import mlflow_server, tracking
    from training.data.cache import RadiographCache
    from training.data.metadata import load_metadata
    from training.export.register import export_and_register
    from training.ledger.ledger import Ledger
    from training.registry import SHA256_TAG, Registry

    data = load_metadata(folder)
    mlflow_server.connect(settings().mlflow_address)
    run = tracking.find_run(f"xray_{network}", run_id)
    cache = RadiographCache.open(settings().home / "cache")
    with Ledger(settings().ledger_address) as ledger:
        registration = export_and_register(
            run, data, cache, Registry(settings().mlflow_address), ledger, who=settings().actor_name
        )
    version, parity = registration.version, registration.parity
    worst = parity.sort_values("max_abs_difference").iloc[-1]
    if as_json:
        emit_json(
            {
                "model": version.name,
                "version": version.number,
                "sha256": version.tag(SHA256_TAG),
                "run_id": run.info.run_id,
                "parity": parity.to_dict(orient="records"),
            }
        )
    else:
        stdout.print(
            f"{version.name} version {version.number}, SHA-256 {version.tag(SHA256_TAG)[:12]}. Largest "
            f"difference from torch: {worst['max_abs_difference']:.1e} in {worst['output']} "
            f"(allowed {worst['allowed']:.0e})."
        )


for _command in (_network_command("filter"), _network_command("classifier"), variant, tensorrt, passport):
    export.add_command(_command)
