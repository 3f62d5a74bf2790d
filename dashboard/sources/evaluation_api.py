"""What was measured of a release's classifier: read from its MLflow run, never measured anew."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.sources.registry_api import connected, source_errors

if TYPE_CHECKING:
    from training.evaluate.predictions import Predictions

SPLIT = "test"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ReleaseEvaluation:
    """The stored evaluation of one release's classifier on the test split."""

    release: int
    run_id: str
    """The run that trained the classifier."""
    recipe: str
    thresholds: Mapping[str, float]
    """The release's operating point, by finding."""
    result: Mapping[str, Any]
    """`result.json`: estimates with intervals, in whole and by group."""
    predictions: "Predictions"
    """What the network said to each test image."""


@st.cache_resource(ttl=3600, max_entries=8, show_spinner=False)  # large, never changed, so not copied
def evaluation(number: int) -> ReleaseEvaluation | None:
    """Return the evaluation of a release; None where its classifier was not evaluated.

    Raises:
        SourceError: MLflow does not answer in time, or what it holds was changed.
    """
    from training import tracking
    from training.evaluate.predictions import load_predictions
    from training.promote.release import fetch_release

    with source_errors():
        release = fetch_release(connected(), number).release
        run_id = release.classifier.run_id
        if not tracking.has_artifact(run_id, f"evaluation/{SPLIT}/result.json"):
            return None
        with tracking.downloaded(run_id, f"evaluation/{SPLIT}") as folder:
            return ReleaseEvaluation(
                release=number,
                run_id=run_id,
                recipe=release.classifier.recipe,
                thresholds=release.thresholds,
                result=json.loads((folder / "result.json").read_text()),
                predictions=load_predictions(folder / "predictions.csv"),
            )


@st.cache_data(ttl=3600, max_entries=20, show_spinner=False)
def learning_curves(run_id: str) -> "list[dict[str, Any]]":
    """Return the run's losses by epoch: records with `epoch`, `train_loss` and `val_loss`.

    Raises:
        SourceError: MLflow does not answer in time.
    """
    from training import tracking

    with source_errors():
        connected()
        frame = tracking.metric_history(run_id, ["train_loss", "val_loss"])
        return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
