"""Reads a stored evaluation from MLflow, and writes its report there and to a file."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.entities import Run

from hilum.errors import UsageError
from hilum.files import write_atomic
from training import artifacts, tracking
from training.data.cache import RadiographCache
from training.data.metadata import SPLITS
from training.data.run_data import load_run_data
from training.data.samples import build_samples
from training.evaluate.decisions import decide, temperature_of
from training.evaluate.predictions import load_predictions
from training.evaluate.run import EMBEDDINGS, PREDICTIONS
from training.explain.decision import DecisionRule
from training.explain.examples import ExampleOverlay, example_overlays
from training.report.contents import Report, build_report
from training.report.model_card import model_card
from training.report.render import render_html
from training.train.checkpoint import load_network


def fetch_report(
    run: Run, split: str, *, examples: Sequence[ExampleOverlay] = (), n_bootstrap: int = 1000
) -> Report:
    """Return the report of one of a run's evaluations.

    Args:
        run: that trained the network.
        split: `val`, `test`, or another place below `evaluation/`, such as that of external data.
        examples: overlays to show.
        n_bootstrap: resamplings of the patients.

    Raises:
        UsageError: the run holds no such evaluation.
    """
    place = f"evaluation/{split}"
    if not artifacts.has_artifact(run.info.run_id, f"{place}/{PREDICTIONS}"):
        network = run.data.tags[tracking.MODEL_TAG].removeprefix("xray_")
        raise UsageError(
            f"Run {run.info.run_id} holds no predictions of {split}. Make them first: "
            f"hilum evaluate {network} --data DIR --split {split} --run {run.info.run_id}"
        )
    card = model_card(run.info.run_id, run.data.tags, run.data.params)
    with artifacts.downloaded(run.info.run_id, place) as folder:
        embeddings, drop = folder / EMBEDDINGS, folder / "drop.csv"
        return build_report(
            card,
            split,
            load_predictions(folder / PREDICTIONS),
            embeddings=_load_embeddings(embeddings) if embeddings.exists() else None,
            drop=_load_drop(drop) if drop.exists() else (),
            examples=examples,
            n_bootstrap=n_bootstrap,
        )


def example_pictures(run: Run, folder: Path, split: str, home: Path) -> list[ExampleOverlay]:
    """Return a few images of each class of an evaluated split under their heat maps.

    Raises:
        UsageError: the folder is not the data set that was evaluated, or all its splits were at once.
    """
    tags, model = run.data.tags, run.data.tags[tracking.MODEL_TAG]
    cache = RadiographCache.open(home / "cache")
    beside, last = load_run_data(folder, tags), split.rpartition("/")[2]
    if beside.place(last) != split or last not in SPLITS:
        raise UsageError(
            f"{folder} has no split that was evaluated as {split}: its own would be {beside.place('test')}. "
            "Give the data set that was evaluated, or leave --data out for a report without pictures."
        )
    table = build_samples(beside.data, cache, model, last, classes=beside.classes)
    with artifacts.downloaded(run.info.run_id, tracking.CHECKPOINT) as checkpoint:
        network = load_network(checkpoint)
    rule = DecisionRule(decide=partial(decide, model, tags), temperature=temperature_of(tags))
    return example_overlays(network, table, cache, rule=rule)


def log_report(run_id: str, report: Report, path: Path) -> None:
    """Write the report to `path`, and log it with its JSON to the run under `report/SPLIT`."""
    html = render_html(report)
    write_atomic(path, html.encode())
    artifacts.log_text(run_id, html, f"report/{report.split}/report.html")
    artifacts.log_text(run_id, json.dumps(report.as_dict(), indent=1), f"report/{report.split}/report.json")


def _load_embeddings(path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    with np.load(path) as stored:
        embeddings: np.ndarray[Any, np.dtype[np.float32]] = stored["embeddings"].astype(np.float32)
    return embeddings


def _load_drop(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a drop table, numbers to three decimals and missing ones as a dash."""
    frame = pd.read_csv(path, keep_default_na=True)
    return [
        {
            str(key): "-" if pd.isna(value) else f"{value:.3f}" if isinstance(value, float) else str(value)
            for key, value in row.items()
        }
        for row in frame.to_dict("records")
    ]
