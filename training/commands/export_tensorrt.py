"""`hilum export tensorrt` and `hilum export passport`."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from training.commands.options import DATA, JSON, MODEL

if TYPE_CHECKING:
    from training.export.passport import Passport

DEFAULT_IMAGE = "nvcr.io/nvidia/tritonserver:24.10-py3"
"""The container of the Triton that Hilum is tested with."""


@click.command(short_help="Prepare (and, where TensorRT is, run) the build of an engine.")
@MODEL
@DATA
@click.option(
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="New folder for the build.",
)
@click.option("--version", "number", type=int, help="Registry version, variants too. Default: the newest.")
@click.option("--precision", type=click.Choice(["fp16"]), help="Write an FP32 network in FP16 first.")
@click.option("--tensorrt", "major", type=click.Choice(["10", "11"]), default="10", show_default=True)
@click.option(
    "--image", default=DEFAULT_IMAGE, show_default=True, help="Triton's container: builds and serves."
)
@click.option("--compute-capability", metavar="X.Y", help="Of the GPU. Default: whichever the build finds.")
@JSON
def tensorrt(
    network: str,
    folder: Path,
    output: Path,
    number: int | None,
    precision: Literal["fp16"] | None,
    major: str,
    image: str,
    compute_capability: str | None,
    as_json: bool,  # noqa: FBT001  click's flag
) -> None:
    """Prepare the build of a TensorRT engine of a NETWORK (`filter` or `classifier`).

    Writes a folder with the graph, plan.json, build.sh, a Kubernetes Job and 64 cases of --data's
    validation split. Where `trtexec` is installed the build runs at once; elsewhere run build.sh in the
    container, or the Job. The engine is worth nothing until `hilum export passport` has judged it. An int8
    engine is built from an int8 version of `hilum export variant`.

    \b
    Examples:
      hilum export tensorrt classifier --precision fp16 --data DIR --output engine
      hilum export tensorrt filter --tensorrt 11 --image nvcr.io/nvidia/tritonserver:26.09-py3 \\
          --compute-capability 9.0 --data DIR --output engine
    """
    from hilum.console import emit_json, stdout
    from hilum.settings import settings
    from training.data.cache import RadiographCache
    from training.data.metadata import load_metadata
    from training.export.tensorrt.engine import check_engine, has_tensorrt, run_build
    from training.export.tensorrt.prepare import prepare_build
    from training.registry import Registry
    from training.repository.base_config import MAX_BATCH_SIZE

    data = load_metadata(folder)
    plan = prepare_build(
        Registry(settings().mlflow_address),
        data,
        RadiographCache.open(settings().home / "cache"),
        output,
        model=f"xray_{network}",
        number=number,
        precision=precision,
        tensorrt=11 if major == "11" else 10,
        image=image,
        compute_capability=compute_capability,
        max_batch=MAX_BATCH_SIZE,
    )
    if has_tensorrt():
        run_build(output)
        _show(check_engine(output), as_json=as_json)
    elif as_json:
        emit_json({"folder": str(output), "built": False, "plan": plan.model_dump(mode="json")})
    else:
        stdout.print(
            f"{output}: {plan.model} version {plan.version}, {plan.precision}, batches up to "
            f"{plan.profile.max}. There is no trtexec here: run build.sh in {plan.image}, or apply job.yaml, "
            f"then `hilum export passport {output}`."
        )


@click.command(short_help="Judge a built TensorRT engine and write its passport.")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@JSON
def passport(folder: Path, as_json: bool) -> None:  # noqa: FBT001  click's flag
    """Judge what build.sh left in FOLDER and write the engine's passport, model.plan.passport.json.

    It needs neither GPU nor TensorRT: the inspector's layers must have the precision that was asked, and the
    answers to the cases must keep to the policy, values and decisions. An engine without a passport is
    refused.

    \b
    Examples:
      hilum export passport engine
      hilum export passport engine --json
    """
    from training.export.tensorrt.engine import check_engine

    _show(check_engine(folder), as_json=as_json)


def _show(made: "Passport", *, as_json: bool) -> None:
    from hilum.console import emit_json, stdout

    if as_json:
        emit_json({"built": True, "passport": made.model_dump(mode="json")})
        return
    assert made.engine is not None
    assert made.decisions is not None
    stdout.print(
        f"{made.model}: engine for TensorRT {made.engine.tensorrt} and compute capability "
        f"{made.engine.compute_capability}, layers {dict(made.layers)}. Decided alike: "
        f"{made.decisions.agreed} of {made.decisions.images} ({made.decisions.rate:.3f}). SHA-256 "
        f"{made.sha256[:12]}."
    )
