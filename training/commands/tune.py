"""`hilum tune`."""

from pathlib import Path
from typing import Any

import click

from training.commands.options import DATA, JSON


@click.command()
@click.argument("recipe", metavar="RECIPE")
@DATA
@click.option(
    "--network",
    type=click.Choice(["filter", "classifier"]),
    default="classifier",
    show_default=True,
    help="Which of the recipe's networks.",
)
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Trials that the study is to have in all, those of other machines included.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs of a trial. Default: the recipe's.")
@click.option(
    "--max-minutes", type=click.FloatRange(min=0, min_open=True), help="End the search after so long."
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--weights", help="`imagenet`, `none` (random), or a file. Default: the recipe's.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seeds trials.")
@click.option("--storage", help="Database of the study. Default: sqlite under HILUM_HOME.")
@click.option("--study", help="Study to begin or to join. Default: one for this recipe and data.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the best trial's recipe, for `hilum train --recipe`.",
)
@JSON
def tune(
    recipe: str,
    folder: Path,
    network: str,
    trials: int,
    epochs: int | None,
    max_minutes: float | None,
    device: str,
    weights: str | None,
    seed: int,
    storage: str | None,
    study: str | None,
    out: Path | None,
    as_json: bool,  # noqa: FBT001  click passes flags by name
) -> None:
    """Search for better settings of a network of RECIPE.

    The recipe's `tune` section says what may change. Each trial trains the network with other settings;
    one that is worse than the median of those before it ends early. Trials are child runs in MLflow.
    A trial that was cut short is tried again from its last epoch: give the same command again. Several
    machines join one study when all give the same command with a --storage that they share.

    \b
    Examples:
      hilum tune icapuc_scratch --data DIR --trials 30 --epochs 8 --out best.yaml
      hilum train classifier --data DIR --recipe best.yaml
      hilum tune icapuc_scratch --data DIR --network filter --max-minutes 60
      hilum tune icapuc_scratch --data DIR --storage postgresql+psycopg2://USER@HOST/NAME
    """
    import yaml

    from hilum.console import emit_json, stderr, stdout
    from hilum.files import write_atomic
    from hilum.settings import settings
    from training import artifacts, mlflow_server
    from training.data.cache import RadiographCache
    from training.data.metadata import load_metadata
    from training.data.subset import draw_subset
    from training.errors import RecipeError
    from training.train.family import load_recipe
    from training.train.interruption import sigterm_interrupts
    from training.train.tuning import TuningJob
    from training.train.tuning import tune as search

    model = f"xray_{network}"
    chosen = load_recipe(recipe)
    own = chosen.network(model)
    if not own.tune:
        raise RecipeError(
            f"Recipe {chosen.name!r} has no `tune` section for its {network}: nothing to search. Copy the "
            "recipe to a file and add one, as: "
            "tune: {optimizer.learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}}"
        )
    resolved = own.resolved(epochs=epochs, weights=weights)
    home = settings().home
    job = TuningJob(
        model=model,
        recipe_name=chosen.name,
        recipe=resolved,
        space=own.tune,
        data=draw_subset(load_metadata(folder), resolved.subset),
        seed=seed,
        device=device,
        trials=trials,
        max_minutes=max_minutes,
    )
    mlflow_server.connect(settings().mlflow_address)

    def tell(trial: dict[str, Any]) -> None:
        if as_json:
            emit_json(trial)
        else:
            outcome = trial["reason"] or trial["value"] or ""
            stderr.print(f"trial {trial['trial']}  {trial['state']}  {outcome}  {_short(trial['settings'])}")

    home.mkdir(parents=True, exist_ok=True)
    with sigterm_interrupts():
        found = search(
            job,
            RadiographCache.open(home / "cache"),
            home,
            storage=storage or f"sqlite:///{(home / 'tuning.db').absolute()}",
            study_name=study,
            on_trial=tell,
        )
    best = chosen.model_copy(update={network: found.recipe})
    unwritten: dict[str, Any] = {"name": True, network: {"tune"}}  # the search is over
    content = best.model_dump(mode="json", exclude=unwritten, exclude_none=True)
    content["source"] = f"{chosen.source}; settings of trial {found.best['trial']} of the study {found.study}"
    text = yaml.safe_dump(content, sort_keys=False)
    artifacts.log_text(found.run_id, text, "best.yaml")
    if out is not None:
        write_atomic(out, text.encode())
    if as_json:
        emit_json({"study": found.study, "run_id": found.run_id, "best": found.best})
        return
    stdout.print(_table(found.trials, resolved.select_by))
    where = f"; its recipe is in {out}" if out else ""
    stdout.print(f"Best: trial {found.best['trial']}, {resolved.select_by} {found.best['value']:.4g}{where}.")


def _short(values: dict[str, Any]) -> str:
    """Return settings on one line."""
    shown = {key: f"{value:.3g}" if isinstance(value, float) else value for key, value in values.items()}
    return ", ".join(f"{key} {value}" for key, value in shown.items())


def _table(trials: tuple[dict[str, Any], ...], metric: str) -> Any:
    """Return the trials as a table, in their order."""
    from rich.table import Table

    table = Table("trial", "state", metric, "settings")
    for trial in trials:
        value = "" if trial["value"] is None else f"{trial['value']:.4g}"
        table.add_row(str(trial["trial"]), trial["state"], value, _short(trial["settings"]))
    return table
