"""What is kept on disk of an unfinished study, so that no network is trained twice.

In the study's folder: `run.json` with its MLflow run; for each network `STEM.json` with its run, once it is
trained, and `STEM.csv` with what it said of its test images, once it is tested. Each is whole or absent.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hilum.files import write_atomic
from training.evaluate.predictions import Predictions, load_predictions, predictions_frame
from training.study.study import Division

PLACE = ("repeat", "fold", "run_id")
"""Columns that a study's predictions have besides those of any predictions."""


@dataclass(frozen=True, slots=True)
class Part:
    """One network of a study, and what it said of images that it was not trained on."""

    division: Division
    run_id: str
    """The MLflow run that trained it."""
    predictions: Predictions


@dataclass(frozen=True, slots=True)
class Record:
    """The files of one network in an unfinished study's folder."""

    folder: Path
    division: Division

    def read_part(self) -> Part | None:
        """Return the trained and tested network, or None."""
        run_id = self.read_run()
        if run_id is None or not self._tested.exists():
            return None
        return Part(self.division, run_id, load_predictions(self._tested))

    def read_run(self) -> str | None:
        """Return the run that trained the network to its end, or None."""
        return str(json.loads(self._trained.read_text())["run_id"]) if self._trained.exists() else None

    def write_run(self, run_id: str) -> None:
        """Note that the network is trained."""
        write_atomic(self._trained, json.dumps({"run_id": run_id}).encode())

    def write_predictions(self, predictions: Predictions) -> None:
        """Note what the network said of its test images."""
        write_atomic(self._tested, predictions_frame(predictions).to_csv(index=False).encode())

    @property
    def _trained(self) -> Path:
        return self.folder / f"{self.division.stem}.json"

    @property
    def _tested(self) -> Path:
        return self.folder / f"{self.division.stem}.csv"


def parts_frame(parts: tuple[Part, ...]) -> pd.DataFrame:
    """Return the predictions of all networks as one table: `predictions.csv` of a study."""
    frames = [
        predictions_frame(part.predictions).assign(
            repeat=part.division.repeat, fold=part.division.fold, run_id=part.run_id
        )
        for part in parts
    ]
    return pd.concat(frames, ignore_index=True)


def load_parts(path: Path) -> tuple[Part, ...]:
    """Return the networks and predictions that `parts_frame` made a table of.

    Raises:
        DataSetError: the file is no table of predictions.
    """
    predictions = load_predictions(path)
    places = pd.read_csv(path, usecols=list(PLACE), dtype={"run_id": str})
    return tuple(
        Part(
            Division(int(own["repeat"].iloc[0]), int(own["fold"].iloc[0])),
            str(run_id),
            predictions.take(places["run_id"] == run_id),
        )
        for run_id, own in places.groupby("run_id", sort=False)
    )
