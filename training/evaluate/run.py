"""Runs a trained network over a split, evaluates it, and logs the result to its run."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from training import tracking
from training.data.cache import RadiographCache
from training.data.metadata import DataSet
from training.data.samples import SampleTable, build_samples
from training.evaluate.decisions import choose_decision, decide
from training.evaluate.evaluation import Evaluation, evaluate
from training.evaluate.figures import figures, training_curves_figure
from training.evaluate.metrics import Floats
from training.evaluate.predictions import Predictions
from training.evaluate.tables import evaluation_frame
from training.models.network import RadiographNetwork
from training.train.loop import TrainedModel, TrainingJob
from training.train.predict import predict_probabilities


def complete_training(
    job: TrainingJob, trained: TrainedModel, cache: RadiographCache, home: Path
) -> Evaluation:
    """Evaluate a trained network on validation, choose its decision rule, and mark its run complete.

    The job's checkpoints are deleted last: until then the same command goes on from them.
    """
    table = trained.validation
    probabilities = predict_probabilities(trained.network, table, cache)
    decision = choose_decision(job.model, table.targets, probabilities)
    predictions = _decided(job.model, decision, table, probabilities)
    evaluation = evaluate(predictions)
    log_evaluation(trained.run_id, "val", evaluation, predictions, job.data.digest())
    history = tracking.metric_history(
        trained.run_id, ("train_loss", "val_loss", "val_auroc", "learning_rate")
    )
    tracking.log_figure(trained.run_id, training_curves_figure(history), "training_curves.png")
    tracking.set_tags(trained.run_id, decision | {tracking.COMPLETE_TAG: "true"})
    finished = job.folder(home).rename(job.folder(home).with_suffix(".finished"))
    shutil.rmtree(finished)  # renamed first: a kill in between leaves nothing to go on from
    return evaluation


def evaluate_network(
    model: str,
    network: RadiographNetwork,
    decision: Mapping[str, str],
    data: DataSet,
    split: str,
    cache: RadiographCache,
    *,
    n_bootstrap: int,
) -> tuple[Evaluation, Predictions]:
    """Return the evaluation of a network with its decision rule on one split of a data set."""
    table = build_samples(data, cache, model, split)
    predictions = _decided(model, decision, table, predict_probabilities(network, table, cache))
    return evaluate(predictions, n_bootstrap=n_bootstrap), predictions


def _decided(
    model: str, decision: Mapping[str, str], table: SampleTable, probabilities: Floats
) -> Predictions:
    """Return the predictions of a table's samples with what serving would decide from them."""
    decided = decide(model, decision, probabilities)
    return Predictions(table.labels, table.targets, probabilities, decided, table.frame)


def log_evaluation(
    run_id: str, split: str, evaluation: Evaluation, predictions: Predictions, data_digest: str
) -> None:
    """Log an evaluation's record, table and figures to a run, and its headline as a metric."""
    tracking.log_results(
        run_id,
        f"evaluation/{split}",
        record={"data_digest": data_digest, "split": split, **evaluation.as_dict()},
        table=evaluation_frame(evaluation),
        figures=figures(evaluation, predictions),
    )
    if evaluation.headline.value is not None:
        tracking.log_metric(run_id, f"{split}_auroc_final", evaluation.headline.value)
