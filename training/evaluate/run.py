"""Runs a trained network over a split, evaluates it, and logs the result to its run."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from training import artifacts, tracking
from training.data.cache import RadiographCache
from training.data.metadata import DataSet
from training.data.samples import SampleTable, build_samples
from training.evaluate.calibration import calibrated_probabilities
from training.evaluate.decisions import choose_decision, decide, temperature_of
from training.evaluate.evaluation import Evaluation, evaluate
from training.evaluate.figures import figures, training_curves_figure
from training.evaluate.predictions import Predictions, predictions_frame
from training.evaluate.tables import evaluation_frame
from training.evaluate.thresholds import threshold_frame, threshold_table
from training.models.network import RadiographNetwork
from training.train.loop import TrainedModel, TrainingJob
from training.train.predict import NetworkAnswers, predict

PREDICTIONS = "predictions.csv"
THRESHOLDS = "thresholds.csv"
EMBEDDINGS = "embeddings.npz"
"""Files of an evaluation beside its record, its table and its figures."""


def complete_training(
    job: TrainingJob, trained: TrainedModel, cache: RadiographCache, home: Path
) -> Evaluation:
    """Choose temperature and decision rule on validation, evaluate with them, and mark the run complete.

    The job's checkpoints are deleted last: until then the same command goes on from them.
    """
    table = trained.validation
    answers = predict(trained.network, table, cache)
    decision = choose_decision(job.model, table.targets, answers.logits, table.labels)
    predictions = _decided(job.model, decision, table, answers)
    evaluation = evaluate(predictions)
    log_evaluation(trained.run_id, "val", evaluation, predictions, job.data.digest())
    history = tracking.metric_history(
        trained.run_id, ("train_loss", "val_loss", "val_auroc", "learning_rate")
    )
    artifacts.log_figure(trained.run_id, training_curves_figure(history), "training_curves.png")
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
    classes = json.loads(decision[tracking.CLASSES_TAG]) if tracking.CLASSES_TAG in decision else None
    table = build_samples(data, cache, model, split, classes=classes)
    predictions = _decided(model, decision, table, predict(network, table, cache))
    return evaluate(predictions, n_bootstrap=n_bootstrap), predictions


def _decided(
    model: str, decision: Mapping[str, str], table: SampleTable, answers: NetworkAnswers
) -> Predictions:
    """Return the predictions of a table's samples with what serving would decide from them."""
    probabilities = calibrated_probabilities(answers.logits, temperature_of(decision))
    decided = decide(model, decision, probabilities)
    return Predictions(
        table.labels, table.targets, probabilities, decided, table.frame, answers.logits, answers.embeddings
    )


def log_evaluation(
    run_id: str, split: str, evaluation: Evaluation, predictions: Predictions, data_digest: str
) -> None:
    """Log an evaluation to a run, under `evaluation/SPLIT`, and its headline as a metric.

    That is its record (`result.json`), table (`table.csv`) and figures; `predictions.csv`, from which
    `read_predictions` rebuilds the predictions; `thresholds.csv`, what a grid of thresholds gives for each
    reported class; and where there are embeddings `embeddings.npz`: `embeddings` (N, D) float16, row by row
    those of `predictions.csv`.
    """
    folder = f"evaluation/{split}"
    tracking.log_results(
        run_id,
        folder,
        record={"data_digest": data_digest, "split": split, **evaluation.as_dict()},
        table=evaluation_frame(evaluation),
        figures=figures(evaluation, predictions),
    )
    with tempfile.TemporaryDirectory(prefix="hilum-") as name:
        write_predictions(predictions, Path(name))
        artifacts.log_artifacts(run_id, Path(name), folder)
    if evaluation.headline.value is not None:
        tracking.log_metric(run_id, f"{split}_auroc_final", evaluation.headline.value)


def write_predictions(predictions: Predictions, folder: Path) -> None:
    """Write the files from which an evaluation can be done again, as `log_evaluation` names them."""
    predictions_frame(predictions).to_csv(folder / PREDICTIONS, index=False)
    tables = [
        threshold_frame(threshold_table(predictions.probabilities[:, k], predictions.truth == k)).assign(
            label=predictions.labels[k]
        )
        for k in predictions.reported
    ]
    pd.concat(tables).to_csv(folder / THRESHOLDS, index=False)
    if predictions.embeddings is not None:
        largest = np.finfo(np.float16).max
        half = np.clip(predictions.embeddings, -largest, largest).astype(np.float16)
        np.savez_compressed(folder / EMBEDDINGS, embeddings=half)
