"""`hilum export`."""

from pathlib import Path

import click

from training.commands.options import DATA, JSON, MODEL, RUN


@click.command()
@MODEL
@DATA
@RUN
@JSON
def export(network: str, folder: Path, run_id: str | None, as_json: bool) -> None:  # noqa: FBT001  click's flag
    """Export a trained NETWORK (`filter` or `classifier`) to ONNX, prove parity, register it in MLflow.

    The file holds resizing, normalisation, temperature, threshold, row gate, activation map and embedding.
    It is registered only if it answers as the torch network does on radiographs of --data's validation split.

    \b
    Examples:
      hilum export filter --data DIR
      hilum export classifier --data DIR --run 0123abcd --json
    """
    from hilum.console import emit_json, stdout
    from hilum.settings import settings
    from training import tracking
    from training.data.cache import RadiographCache
    from training.data.metadata import load_metadata
    from training.export.register import export_and_register
    from training.registry import SHA256_TAG, Registry

    data = load_metadata(folder)
    tracking.connect(settings().mlflow_address)
    run = tracking.find_run(f"xray_{network}", run_id)
    cache = RadiographCache.open(settings().home / "cache")
    registration = export_and_register(run, data, cache, Registry(settings().mlflow_address))
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
