"""What was measured of a network: read from its MLflow run, never measured anew."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import streamlit as st

from dashboard.errors import SourceLyingError
from dashboard.language import tr
from dashboard.look import release_colour
from dashboard.sources.records import checked, parsed
from dashboard.sources.registry_api import SOURCE, connected, source_errors
from dashboard.sources.studies_api import STUDIES
from hilum.contract import CLASSIFIER, FILTER
from hilum.settings import settings

if TYPE_CHECKING:
    from training.evaluate.predictions import Predictions
    from training.promote.release import Release
    from training.tracking import CompleteRun

SPLIT = "test"

FOLDER = f"evaluation/{SPLIT}"

MAX_RUNS = 50
"""Training runs that a reader can choose from: the newest."""

CURVES = ("train_loss", "val_loss", "val_auroc")
"""What a training stores for each epoch."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ReleaseEvaluation:
    """The stored evaluation of one network, of a release or of a training run, on the test split."""

    release: int | None
    """None for a training run by itself."""
    model: str = CLASSIFIER
    """`xray_filter` or `xray_classifier`."""
    run_id: str
    """The run that trained the network."""
    recipe: str
    thresholds: Mapping[str, float]
    """The probability from which a class is reported; empty where the most probable one is."""
    result: Mapping[str, Any]
    """`result.json`: estimates with intervals, in whole and by group."""
    predictions: "Predictions"
    """What the network said to each test image."""

    @property
    def name(self) -> str:
        """What a reader knows it by."""
        if self.release is None:
            return tr("run {run}", run=self.run_id[:8])
        return tr("release {n}", n=self.release)

    @property
    def colour(self) -> str:
        """The same on every page."""
        return release_colour(crc32(self.run_id.encode()) if self.release is None else self.release)


def evaluation(number: int, model: str = CLASSIFIER) -> ReleaseEvaluation | None:
    """Return the evaluation of one of a release's networks; None where it was not evaluated.

    Raises:
        SourceError: MLflow does not answer in time, or what it holds was changed.
    """
    release = _release(number)
    network = release.filter if model == FILTER else release.classifier
    thresholds = {"valid": release.filter_threshold} if model == FILTER else release.thresholds
    return _evaluation(
        network.run_id, release=number, model=model, recipe=network.recipe, thresholds=thresholds
    )


def run_evaluation(run_id: str, model: str) -> ReleaseEvaluation | None:
    """Return the evaluation of what a run trained; None where it was not evaluated.

    Raises:
        SourceError: as for `evaluation`.
    """
    from training import tracking

    with source_errors():
        connected()
        tags = tracking.run_tags(run_id)
    return _evaluation(
        run_id,
        release=None,
        model=model,
        recipe=tags.get(tracking.RECIPE_TAG, "-"),
        thresholds=_thresholds(model, tags),
    )


@st.cache_data(ttl=30, show_spinner=False)
def runs(model: str) -> "tuple[CompleteRun, ...]":
    """Return the newest complete training runs of a network, those of studies too, newest first.

    Raises:
        SourceError: MLflow does not answer in time.
    """
    from training import tracking

    with source_errors():
        connected()
        found = [
            run
            for experiment in (model, STUDIES)
            for run in tracking.complete_runs(experiment, {tracking.MODEL_TAG: model}, most=MAX_RUNS)
        ]
    return tuple(sorted(found, key=lambda run: -run.started_ms)[:MAX_RUNS])


@st.cache_data(ttl=600, max_entries=20, show_spinner=False)
def learning_curves(run_id: str) -> "list[dict[str, Any]]":
    """Return what a training measured by epoch: records with `epoch` and `CURVES`; NaN where it did not.

    Raises:
        SourceError: MLflow does not answer in time.
    """
    from training import tracking

    with source_errors():
        connected()
        frame = tracking.metric_history(run_id, CURVES)
        return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


@st.cache_data(ttl=3600, max_entries=200, show_spinner=False)  # a release never changes
def _release(number: int) -> "Release":
    from training.promote.release import fetch_release

    with source_errors():
        return fetch_release(connected(), number).release


def _thresholds(model: str, tags: Mapping[str, str]) -> dict[str, float]:
    """Return the decision rule in the tags of a training run."""
    from training.evaluate.decisions import ARGMAX_TAG, OPERATING_POINT_TAG, THRESHOLD_TAG

    try:
        if ARGMAX_TAG in tags:
            return {}
        if OPERATING_POINT_TAG in tags:
            return {str(k): float(v) for k, v in json.loads(tags[OPERATING_POINT_TAG]).items()}
        if THRESHOLD_TAG in tags:
            return {"valid" if model == FILTER else "covid19": float(tags[THRESHOLD_TAG])}
    except (ValueError, TypeError, AttributeError) as error:
        raise SourceLyingError(SOURCE, settings().mlflow_address, f"thresholds: {error}") from error
    return {}


def _evaluation(
    run_id: str, *, release: int | None, model: str, recipe: str, thresholds: Mapping[str, float]
) -> ReleaseEvaluation | None:
    if not _is_stored(run_id):
        return None
    result, predictions = _stored(run_id)
    return ReleaseEvaluation(
        release=release,
        model=model,
        run_id=run_id,
        recipe=recipe,
        thresholds=thresholds,
        result=result,
        predictions=predictions,
    )


@st.cache_data(ttl=10, max_entries=200, show_spinner=False)
def _is_stored(run_id: str) -> bool:
    from training import artifacts

    with source_errors():
        connected()
        return artifacts.has_artifact(run_id, f"{FOLDER}/result.json")


@st.cache_resource(ttl=600, max_entries=6, show_spinner=False)  # large, and never changed here: not copied
def _stored(run_id: str) -> "tuple[Mapping[str, Any], Predictions]":
    """Return the record and the predictions of an evaluation, both checked: they may be of another time."""
    from training import artifacts
    from training.evaluate.predictions import load_predictions

    with source_errors():
        connected()
        with artifacts.downloaded(run_id, FOLDER) as folder:
            result = read_result(folder / "result.json")
            predictions = load_predictions(folder / "predictions.csv")
    if len(predictions.frame) != result["n_images"] or list(predictions.labels) != list(result["labels"]):
        raise SourceLyingError(
            SOURCE, settings().mlflow_address, "predictions.csv and result.json are of different images"
        )
    return result, predictions


def read_result(path: Path) -> Mapping[str, Any]:
    """Return the record of an evaluation, as it is stored.

    Raises:
        SourceLyingError: it is torn, holds NaN, or has the form of another version of Hilum.
    """
    from training.evaluate.evaluation import Evaluation

    try:
        text = path.read_text()
    except (OSError, ValueError) as error:
        raise SourceLyingError(SOURCE, settings().mlflow_address, f"{path.name}: {error}") from error
    record: Mapping[str, Any] = parsed(text, path.name)
    checked(Evaluation, record, path.name)
    return record
