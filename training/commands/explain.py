"""`hilum explain`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.commands.options import DATA, JSON, MODEL, RUN

if TYPE_CHECKING:
    from training.explain.methods import Method
    from training.explain.occlusion import Fill


@click.command()
@MODEL
@DATA
@RUN
@click.option(
    "--method",
    type=click.Choice(["cam", "grad_cam", "occlusion"]),
    default="cam",
    show_default=True,
    help="`cam`: the network's own activation map, as served. `occlusion`: cover a square, ask again.",
)
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="test", show_default=True)
@click.option(
    "--images",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Images of each class, of different patients where possible.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Chooses the images.")
@click.option("--occluder-px", type=click.IntRange(1, 256), default=64, show_default=True, help="Its side.")
@click.option("--stride-px", type=click.IntRange(min=1), default=32, show_default=True, help="Its steps.")
@click.option("--fill", type=click.Choice(["black", "mean"]), default="black", show_default=True)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the pictures. Default: HILUM_HOME/explanations/RUN/METHOD/SPLIT.",
)
@click.option("--sanity", is_flag=True, help="Check that the maps follow the weights, and each other.")
@JSON
def explain(
    network: str,
    folder: Path,
    run_id: str | None,
    method: "Method",
    split: str,
    images: int,
    seed: int,
    occluder_px: int,
    stride_px: int,
    fill: "Fill",
    out: Path | None,
    sanity: bool,  # noqa: FBT001  click passes flags by name
    as_json: bool,  # noqa: FBT001  likewise
) -> None:
    """Show where a trained NETWORK (`filter` or `classifier`) finds evidence for what it decides.

    Draws an overlay per image and a contact sheet per class, into a folder and into the MLflow run, and
    says how much of the evidence lies on the image's border or outside the film, where no lung is.

    With --sanity the weights are randomised from the head down: heat maps that stay as they were show the
    image rather than the network. It takes a dozen heat maps of up to 4 images of each class.

    \b
    Examples:
      hilum explain classifier --data DIR
      hilum explain classifier --data DIR --method occlusion --images 3 --occluder-px 48 --stride-px 16
      hilum explain filter --data DIR --method grad_cam --sanity --json
    """
    from functools import partial

    from hilum.console import emit_json, stderr, stdout
    from hilum.settings import settings
    from training import artifacts, mlflow_server, tracking
    from training.data.cache import RadiographCache
    from training.data.run_data import load_run_data
    from training.data.samples import build_samples
    from training.evaluate.decisions import decide, temperature_of
    from training.explain.decision import DecisionRule
    from training.explain.examples import choose_examples
    from training.explain.explained import explain_table
    from training.explain.occlusion import OcclusionConfig
    from training.explain.run import Explanations, log_explanations
    from training.explain.sanity import check_sanity
    from training.explain.summary import summarise
    from training.explain.tables import sanity_table, summary_table
    from training.train.checkpoint import load_network

    occlusion = OcclusionConfig(size_px=occluder_px, stride_px=stride_px, fill=fill)
    model = f"xray_{network}"
    mlflow_server.connect(settings().mlflow_address)
    run = tracking.find_run(model, run_id)
    run_id, tags = run.info.run_id, run.data.tags
    with artifacts.downloaded(run_id, tracking.CHECKPOINT) as checkpoint:
        trained = load_network(checkpoint)
    cache = RadiographCache.open(settings().home / "cache")
    beside = load_run_data(folder, tags)
    samples = build_samples(beside.data, cache, model, split, classes=beside.classes)
    table = choose_examples(samples, images, seed)
    rule = DecisionRule(decide=partial(decide, model, tags), temperature=temperature_of(tags))
    explained = explain_table(trained, table, cache, method, rule=rule, occlusion=occlusion)
    place = beside.place(split)
    checks = check_sanity(trained, explained, rule=rule, occlusion=occlusion) if sanity else None
    explanations = Explanations(
        model, split, place, beside.data.digest(), explained, summarise(explained), checks
    )
    out = out or settings().home / "explanations" / run_id / method / place
    log_explanations(run_id, explanations, out)
    if as_json:
        emit_json({"run_id": run_id, "out": str(out), **explanations.as_dict()})
        return
    stdout.print(summary_table(method, explanations.classes))
    if checks is not None:
        stdout.print(sanity_table(checks))
    stderr.print(f"Pictures in {out}, and in the MLflow run {run_id}.")
