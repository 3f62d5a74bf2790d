"""Runs a study: one network after the other, each tested on images that it never saw."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hilum.console import stderr
from hilum.files import write_atomic
from hilum.radiograph import DECODER_DIGEST
from training import artifacts, tracking
from training.data.cache import RadiographCache
from training.evaluate.decisions import ARGMAX_TAG
from training.evaluate.run import complete_training, evaluate_network, log_evaluation
from training.models.network import RadiographNetwork
from training.study.pooled import Summary, summarize
from training.study.record import Part, Record, load_parts, parts_frame
from training.study.study import EXPERIMENT, STUDY_TAG, Division, Study
from training.study.tables import summary_figures, summary_frame
from training.train.checkpoint import load_network
from training.train.loop import TrainingJob, train_network

FOLDER = "study"
"""Artifact folder of a study's run."""

PREDICTIONS = "predictions.csv"
"""In that folder: what every network said of its test images, with columns repeat, fold and run_id."""

RUN_NAME_TAG = "mlflow.runName"


@dataclass(frozen=True, slots=True)
class FinishedStudy:
    """A complete study."""

    run_id: str
    """Its MLflow run."""
    study: Study
    parts: tuple[Part, ...]
    """Its networks, in the order of training."""
    summary: Summary
    reused: bool
    """Whether it was complete before, so that nothing was trained now."""


def run_study(
    study: Study, cache: RadiographCache, home: Path, *, n_bootstrap: int, fresh: bool = False
) -> FinishedStudy:
    """Train and test every network of a study, or go on with it, and log it to MLflow.

    A network that is trained and tested is never trained again, and of the one that was cut short at most an
    epoch is. A study that is complete is taken as it is, unless a `fresh` one is asked for.

    Raises:
        DataSetError: the data cannot be divided so, or a class has no image.
        DivergedError: a network's loss is no number; the networks before it are kept.
        ServiceUnreachableError: MLflow is gone; what was trained is kept and goes on next time.
        KeyboardInterrupt: likewise.
    """
    found = None if fresh else complete_run(study)
    if found is not None:
        stderr.print(f"{study.title}: taken from run {found}, which is complete.")
        _unfinished_run(study.folder(home))  # a kill after the last step left its records
        with artifacts.downloaded(found, f"{FOLDER}/{PREDICTIONS}") as path:
            parts = load_parts(path)
        return FinishedStudy(found, study, parts, summarize(parts, n_bootstrap=n_bootstrap), reused=True)
    return _run(study, cache, home, n_bootstrap)


def complete_run(study: Study) -> str | None:
    """Return the newest run in which this study was completed, or None."""
    return tracking.find_complete(EXPERIMENT, {STUDY_TAG: study.key()})


def _run(study: Study, cache: RadiographCache, home: Path, n_bootstrap: int) -> FinishedStudy:
    """Train what is not trained yet, and complete the study's run."""
    folder = study.folder(home)
    started = _unfinished_run(folder)
    if started is None:
        check_possible(study)
    stderr.print(f"{study.title}:")
    tags = _tags(study) | tracking.environment_tags()
    with tracking.training_run(EXPERIMENT, study.title, tags, started) as run_id:
        write_atomic(folder / "run.json", json.dumps({"run_id": run_id}).encode())
        tracking.log_params(_parameters(study))
        recipe = yaml.safe_dump(study.recipe.model_dump(mode="json"), sort_keys=False)
        artifacts.log_text(run_id, recipe, "recipe.yaml")
        parts = tuple(_part(study, division, cache, folder, n_bootstrap) for division in study.divisions())
        summary = summarize(parts, n_bootstrap=n_bootstrap)
        _log(run_id, study, parts, summary)
        tracking.set_tags(run_id, {tracking.COMPLETE_TAG: "true"})
    _discard(folder)
    return FinishedStudy(run_id, study, parts, summary, reused=False)


def _unfinished_run(folder: Path) -> str | None:
    """Return the run that the records in `folder` belong to; records of no such run are deleted."""
    file = folder / "run.json"
    if file.exists():
        run_id = str(json.loads(file.read_text())["run_id"])
        tags = tracking.run_tags(run_id)
        if tags and tracking.COMPLETE_TAG not in tags:
            return run_id
    _discard(folder)
    return None


def _discard(folder: Path) -> None:
    """Delete the records of a study; renamed first, so that a kill leaves no half of them to go on from."""
    discarded = folder.with_suffix(".discarded")
    shutil.rmtree(discarded, ignore_errors=True)
    if folder.exists():
        shutil.rmtree(folder.rename(discarded))


def check_possible(study: Study) -> None:
    """Refuse, before a run is opened, what cannot be done.

    Raises:
        DataSetError: the data cannot be divided so, or a class has no image.
        WeightsError: the recipe's weights cannot be had.
    """
    for division in study.divisions():
        study.job(division)
    recipe = study.recipe
    RadiographNetwork(recipe.backbone, study.labels, recipe.head, weights=recipe.weights)


def _part(study: Study, division: Division, cache: RadiographCache, folder: Path, n_bootstrap: int) -> Part:
    """Return one network's predictions of its test images, trained now or before."""
    record, name = Record(folder, division), study.name_of(division)
    done = record.read_part()
    if done is not None:
        stderr.print(f"{name}: done before, in run {done.run_id}.")
        return done
    stderr.print(f"{name}:")
    job = study.job(division)
    run_id = _trained(job, record, cache)
    if study.protocol.decision == "argmax":
        tracking.set_tags(run_id, {ARGMAX_TAG: "true"})
    tags = tracking.run_tags(run_id)
    with artifacts.downloaded(run_id, tracking.CHECKPOINT) as checkpoint:
        network = load_network(checkpoint)
    evaluation, predictions = evaluate_network(
        study.model, network, tags, job.data, "test", cache, n_bootstrap=n_bootstrap
    )
    log_evaluation(run_id, "test", evaluation, predictions, job.data.digest())
    tracking.set_tags(run_id, {RUN_NAME_TAG: name})
    record.write_predictions(predictions)
    tested = record.read_part()
    assert tested is not None
    return tested


def _trained(job: TrainingJob, record: Record, cache: RadiographCache) -> str:
    """Return the run of one trained network, trained now unless it was before.

    Its run is noted before its checkpoints are deleted: whenever a kill comes, one of both is there.
    """
    run_id = record.read_run()
    if run_id is not None and tracking.COMPLETE_TAG in tracking.run_tags(run_id):
        return run_id
    trained = train_network(job, cache, record.folder)
    record.write_run(trained.run_id)
    complete_training(job, trained, cache, record.folder)
    return trained.run_id


def _tags(study: Study) -> dict[str, str]:
    """Return what the run says of itself; it holds no network, so it names no model."""
    return {
        STUDY_TAG: study.key(),
        tracking.RECIPE_TAG: study.recipe_name,
        tracking.DATA_DIGEST_TAG: study.data.digest(),
        tracking.DECODER_DIGEST_TAG: DECODER_DIGEST,
    }


def _parameters(study: Study) -> dict[str, Any]:
    """Return the run's parameters for MLflow; each network's own are in its run."""
    protocol = {f"protocol.{key}": value for key, value in study.protocol.model_dump(mode="json").items()}
    return {
        "model": study.model,
        "recipe": study.recipe_name,
        "epochs": study.recipe.budget.epochs,
        "max_minutes": study.max_minutes,
        "weights": study.recipe.weights,
        "seed": study.seed,
        **protocol,
    }


def _log(run_id: str, study: Study, parts: tuple[Part, ...], summary: Summary) -> None:
    """Log a study's record, tables and figures to its run, and its pooled numbers as metrics."""
    record = {
        "study": study.key(),
        "model": study.model,
        "recipe": study.recipe_name,
        "protocol": study.protocol.model_dump(mode="json"),
        "data_digest": study.data.digest(),
        **summary.as_dict(),
    }
    tracking.log_results(
        run_id, FOLDER, record=record, table=summary_frame(summary), figures=summary_figures(summary)
    )
    artifacts.log_text(run_id, parts_frame(parts).to_csv(index=False), f"{FOLDER}/{PREDICTIONS}")
    for name, estimate in summary.estimates.items():
        if estimate.value is not None:
            tracking.log_metric(run_id, name, estimate.value)
