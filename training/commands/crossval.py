"""`hilum crossval`."""

from pathlib import Path

import click

from hilum.errors import UsageError
from training.commands.options import DATA, JSON
from training.commands.study_options import (
    BOOTSTRAP,
    DEVICE,
    EPOCHS,
    FRESH,
    MAX_MINUTES,
    REPEATS,
    SEED,
    WEIGHTS,
)


@click.command()
@click.argument("recipe")
@DATA
@click.option(
    "--folds", type=click.IntRange(min=2), help="Parts that are tested in turn. Default: the recipe's."
)
@click.option(
    "--holdout",
    is_flag=True,
    help="No folds: divide once per repeat, in the recipe's shares or as the data are.",
)
@REPEATS
@click.option(
    "--network",
    type=click.Choice(["filter", "classifier"]),
    default="classifier",
    show_default=True,
    help="Which of the recipe's networks.",
)
@EPOCHS
@MAX_MINUTES
@WEIGHTS
@DEVICE
@SEED
@BOOTSTRAP
@FRESH
@JSON
def crossval(
    recipe: str,
    folder: Path,
    folds: int | None,
    holdout: bool,  # noqa: FBT001  click passes flags by name
    repeats: int | None,
    network: str,
    epochs: int | None,
    max_minutes: float | None,
    weights: str | None,
    device: str,
    seed: int,
    bootstrap: int,
    fresh: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Train RECIPE once per fold and repeat, each time testing patients that the network never saw.

    The data are divided anew by patient, every finding in equal shares; their own split is not looked at,
    except in a --holdout for which the recipe names no shares. Each network is a child of one run in MLflow's
    experiment `study`. What all of them said is evaluated together; mean and standard deviation over networks
    stand beside it.

    A study that was cut short goes on where it was: give the same command again. Finished networks are not
    trained again, and a finished study is only shown again (--fresh trains it anew).

    \b
    Examples:
      hilum crossval apostolopoulos/mobilenetv2 --data DIR --folds 10
      hilum crossval icapuc --data DIR --holdout --repeats 50
      hilum crossval icapuc_scratch --data DIR --folds 5 --network filter --max-minutes 3 --json
    """
    from hilum.console import emit_json, stderr, stdout
    from hilum.settings import settings
    from training import mlflow_server
    from training.data.cache import RadiographCache
    from training.data.metadata import load_metadata
    from training.data.subset import draw_subset
    from training.study.run import run_study
    from training.study.study import Study, with_options
    from training.study.tables import summary_table
    from training.train.family import load_recipe_of_family

    if holdout and folds:
        raise UsageError("Give --folds or --holdout, not both.")
    family, chosen = load_recipe_of_family(recipe)
    model = f"xray_{network}"
    resolved = chosen.network(model).resolved(epochs=epochs, weights=weights)
    name = "holdout" if holdout else "crossval"
    if repeats is None and name != family.protocol.name:
        repeats = 1  # the recipe's number of repeats is one of its own protocol
    study = Study(
        model=model,
        recipe_name=chosen.name,
        recipe=resolved,
        protocol=with_options(family.protocol, name=name, folds=folds, repeats=repeats),
        data=draw_subset(load_metadata(folder), resolved.subset),
        seed=seed,
        max_minutes=max_minutes,
        device=device,
    )
    mlflow_server.connect(settings().mlflow_address)
    home = settings().home
    cache = RadiographCache.open(home / "cache")
    finished = run_study(study, cache, home, n_bootstrap=bootstrap, fresh=fresh)
    if as_json:
        facts = {"run_id": finished.run_id, "model": model, "recipe": chosen.name, "reused": finished.reused}
        emit_json({**facts, **finished.summary.as_dict()})
    else:
        stdout.print(summary_table(finished.summary, study.title))
        stderr.print(f"Logged to run {finished.run_id} of MLflow's experiment `study`.")
