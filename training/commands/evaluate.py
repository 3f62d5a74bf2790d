"""`hilum evaluate`."""

from pathlib import Path

import click

from training.commands.options import DATA, JSON, MODEL, RUN


@click.command()
@MODEL
@DATA
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="test", show_default=True)
@RUN
@click.option(
    "--bootstrap",
    default=1000,
    show_default=True,
    type=click.IntRange(min=100),
    help="Resamplings of patients.",
)
@JSON
def evaluate(
    network: str,
    folder: Path,
    split: str,
    run_id: str | None,
    bootstrap: int,
    as_json: bool,  # noqa: FBT001  click passes flags by name
) -> None:
    """Measure a trained NETWORK (`filter` or `classifier`), per class and source, with intervals.

    Proportions carry Wilson's 95 % interval, areas under curves a bootstrap's over patients. Table and
    figures are logged to the MLflow run that trained the network. The filter is also shown one turned
    copy of each valid radiograph.

    \b
    Examples:
      hilum evaluate classifier --data DIR
      hilum evaluate filter --data DIR --split val --json
    """
    from hilum.console import emit_json, stdout
    from hilum.settings import settings
    from training import tracking
    from training.data.cache import RadiographCache
    from training.data.metadata import load_metadata
    from training.evaluate.run import evaluate_network, log_evaluation
    from training.evaluate.tables import evaluation_table
    from training.train.checkpoint import load_network

    model = f"xray_{network}"
    data = load_metadata(folder)
    tracking.connect(settings().mlflow_address)
    run = tracking.find_run(model, run_id)
    with tracking.downloaded(run.info.run_id, tracking.CHECKPOINT) as checkpoint:
        trained = load_network(checkpoint)
    cache = RadiographCache.open(settings().home / "cache")
    evaluation, predictions = evaluate_network(
        model, trained, run.data.tags, data, split, cache, n_bootstrap=bootstrap
    )
    log_evaluation(run.info.run_id, split, evaluation, predictions, data.digest())
    if as_json:
        emit_json(
            {
                "run_id": run.info.run_id,
                "model": model,
                "split": split,
                "data_digest": data.digest(),
                **evaluation.as_dict(),
            }
        )
    else:
        stdout.print(evaluation_table(evaluation))
