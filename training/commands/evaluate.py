"""`hilum evaluate`."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hilum.errors import UsageError
from training.commands.options import DATA, JSON, MODEL, RUN

if TYPE_CHECKING:
    from mlflow.entities import Run

    from training.data.metadata import DataSet

INTERNAL_SPLIT = "test"
"""The split of the training data that external data are compared with."""

ALL = "all"
"""Every split together: of data that the network has not learnt from."""


@click.command()
@MODEL
@DATA
@click.option(
    "--split",
    type=click.Choice(["train", "val", "test", ALL]),
    default=INTERNAL_SPLIT,
    show_default=True,
    help="`all` is for data that the network was not trained on.",
)
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

    On another data set than the run was trained on, the drop from the internal test split is given too,
    for the whole set and for each of its sources.

    \b
    Examples:
      hilum evaluate classifier --data DIR
      hilum evaluate filter --data DIR --split val --json
      hilum evaluate classifier --data OTHER_DIR --split all
    """
    from hilum.console import emit_json, stderr, stdout
    from hilum.settings import settings
    from training import artifacts, mlflow_server, tracking
    from training.data.cache import RadiographCache
    from training.data.run_data import load_run_data
    from training.evaluate.external import drop_frame, drop_table, performance_drop
    from training.evaluate.run import evaluate_network, log_evaluation
    from training.evaluate.tables import evaluation_table
    from training.train.checkpoint import load_network

    model = f"xray_{network}"
    mlflow_server.connect(settings().mlflow_address)
    run = tracking.find_run(model, run_id)
    beside = load_run_data(folder, run.data.tags)
    data, is_external, place = beside.data, beside.is_external, beside.place(split)
    chosen, chosen_split = _choose_rows(data, split, is_external=is_external)
    with artifacts.downloaded(run.info.run_id, tracking.CHECKPOINT) as checkpoint:
        trained = load_network(checkpoint)
    cache = RadiographCache.open(settings().home / "cache")
    evaluation, predictions = evaluate_network(
        model, trained, run.data.tags, chosen, chosen_split, cache, n_bootstrap=bootstrap
    )
    log_evaluation(run.info.run_id, place, evaluation, predictions, data.digest())
    internal = _fetch_internal(run) if is_external else None
    drops = performance_drop(internal, evaluation.as_dict()) if internal else ()
    if drops:
        artifacts.log_text(
            run.info.run_id, drop_frame(drops).to_csv(index=False), f"evaluation/{place}/drop.csv"
        )
    if as_json:
        emit_json(
            {
                "run_id": run.info.run_id,
                "model": model,
                "split": split,
                "data_digest": data.digest(),
                "is_external": is_external,
                "drop": [asdict(drop) for drop in drops],
                **evaluation.as_dict(),
            }
        )
    else:
        stdout.print(evaluation_table(evaluation))
        if drops:
            stdout.print(drop_table(drops))
    if is_external and not drops:
        stderr.print(
            f"{folder} is not the data set that run {run.info.run_id} was trained on, and the run holds no "
            "evaluation of that one's test split. To see the drop, evaluate it first, then run this command "
            f"again:\n  hilum evaluate {network} --data TRAINING_DIR --run {run.info.run_id}",
            markup=False,
        )


def _choose_rows(data: "DataSet", split: str, *, is_external: bool) -> tuple["DataSet", str]:
    """Return the data and the split to evaluate: for `all`, every row made the test split's.

    Raises:
        UsageError: `all` is asked of the data that the network was trained on.
    """
    import pandas as pd

    if split != ALL:
        return data, split
    if not is_external:
        raise UsageError(
            f"{data.folder} is the data set that the network was trained on: --split all would count images "
            "that it has learnt. Choose test, or name another data set."
        )
    return data.with_splits(pd.Series(INTERNAL_SPLIT, index=data.frame.index)), INTERNAL_SPLIT


def _fetch_internal(run: "Run") -> Mapping[str, Any] | None:
    """Return the record of a run's evaluation on the test split of its own data, if there is one."""
    from training import artifacts, tracking

    path = f"evaluation/{INTERNAL_SPLIT}/result.json"
    if not artifacts.has_artifact(run.info.run_id, path):
        return None
    with artifacts.downloaded(run.info.run_id, path) as file:
        record: dict[str, Any] = json.loads(file.read_text())
    return record if record["data_digest"] == run.data.tags[tracking.DATA_DIGEST_TAG] else None
