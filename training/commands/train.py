"""`hilum train`."""

from pathlib import Path

import click

from training.commands.options import DATA, JSON, MODEL


@click.command()
@MODEL
@DATA
@click.option("--recipe", default="icapuc", show_default=True, help="FAMILY, FAMILY/VARIANT, or a YAML file.")
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs at most. Default: the recipe's.")
@click.option("--max-minutes", type=click.FloatRange(min=0, min_open=True), help="End after so long.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--weights", help="`imagenet`, `none` (random), or a file. Default: the recipe's.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Seeds weights, order and augmentation.",
)
@JSON
def train(
    network: str,
    folder: Path,
    recipe: str,
    epochs: int | None,
    max_minutes: float | None,
    device: str,
    weights: str | None,
    seed: int,
    as_json: bool,  # noqa: FBT001  click passes flags by name
) -> None:
    """Train NETWORK (`filter` or `classifier`) and log it to MLflow as it goes.

    The best epoch is evaluated on the validation split, which also chooses its decision threshold.
    A run that was cut short goes on where it was: give the same command again. Under torchrun, as many
    processes as it starts share each batch, on one GPU each, or on the CPU; the result is the same.

    \b
    Examples:
      hilum train filter --data DIR
      hilum train classifier --data DIR --recipe icapuc_scratch --max-minutes 15
      hilum train classifier --data DIR --weights densenet121.pt --device cuda
      hilum train classifier --data DIR --recipe deepcovid/resnet18 --weights resnet18.pt
      torchrun --nproc-per-node 4 -m hilum train classifier --data DIR --device cuda
    """
    from hilum.console import emit_json, stderr
    from hilum.settings import settings
    from training import mlflow_server
    from training.data.cache import RadiographCache
    from training.data.metadata import load_metadata
    from training.data.subset import draw_subset
    from training.evaluate.run import complete_training
    from training.train.distributed import from_rank_zero, joined_processes, rank
    from training.train.family import load_recipe
    from training.train.loop import TrainingJob, train_network

    model = f"xray_{network}"
    home = settings().home

    def prepare() -> tuple[TrainingJob, RadiographCache]:
        chosen = load_recipe(recipe)
        resolved = chosen.network(model).resolved(epochs=epochs, weights=weights)
        data = draw_subset(load_metadata(folder), resolved.subset)
        mlflow_server.connect(settings().mlflow_address)
        job = TrainingJob(
            model=model,
            recipe_name=chosen.name,
            recipe=resolved,
            data=data,
            seed=seed,
            max_minutes=max_minutes,
            device=device,
        )
        return job, RadiographCache.open(home / "cache")

    with joined_processes(device):
        job, cache = from_rank_zero(prepare)
        trained = train_network(job, cache, home)
        if rank() != 0:
            return
    evaluation = complete_training(job, trained, cache, home)
    headline = evaluation.headline
    if as_json:
        emit_json({"run_id": trained.run_id, "model": model, "split": "val", **evaluation.as_dict()})
    else:
        stderr.print(f"Trained {model}: run {trained.run_id}, AUROC on validation {headline}.")
