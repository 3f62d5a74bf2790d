"""`hilum train`."""

from pathlib import Path

import click

from training.commands.options import DATA, JSON, MODEL


@click.command()
@MODEL
@DATA
@click.option("--recipe", default="icapuc", show_default=True, help="A recipe's name, or a YAML file.")
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
    A run that was cut short goes on where it was: give the same command again.

    \b
    Examples:
      hilum train filter --data DIR
      hilum train classifier --data DIR --recipe icapuc_scratch --max-minutes 15
      hilum train classifier --data DIR --weights densenet121.pt --device cuda
    """
    from hilum.console import emit_json, stderr
    from hilum.settings import settings
    from training import tracking
    from training.data.cache import RadiographCache
    from training.data.metadata import load_metadata
    from training.evaluate.run import complete_training
    from training.train.loop import TrainingJob, train_network
    from training.train.recipe import load_recipe

    model = f"xray_{network}"
    chosen = load_recipe(recipe)
    resolved = chosen.network(model).resolved(epochs=epochs, weights=weights)
    data = load_metadata(folder)
    tracking.connect(settings().mlflow_address)
    home = settings().home
    job = TrainingJob(
        model=model,
        recipe_name=chosen.name,
        recipe=resolved,
        data=data,
        seed=seed,
        max_minutes=max_minutes,
        device=device,
    )
    cache = RadiographCache.open(home / "cache")
    trained = train_network(job, cache, home)
    evaluation = complete_training(job, trained, cache, home)
    headline = evaluation.headline
    if as_json:
        emit_json({"run_id": trained.run_id, "model": model, "split": "val", **evaluation.as_dict()})
    else:
        stderr.print(f"Trained {model}: run {trained.run_id}, AUROC on validation {headline}.")
