"""MLflow as the dashboard reads it, kept in a folder: runs with their files, and releases that pin them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from dashboard.sources import releases_api
from training import artifacts, tracking
from training.evaluate.evaluation import evaluate
from training.evaluate.predictions import Predictions, predictions_frame
from training.tracking import CompleteRun

THRESHOLDS = {"lung_opacity": 0.4, "covid19": 0.3}


@dataclass
class StoredRuns:
    """What an MLflow server holds."""

    folder: Path
    releases: dict[int, SimpleNamespace] = field(default_factory=dict)
    """By number: what of a release the dashboard asks for."""
    aliases: dict[str, int] = field(default_factory=dict)
    runs: dict[str, list[CompleteRun]] = field(default_factory=dict)
    """By experiment."""
    curves: Mapping[str, list[float]] = field(default_factory=dict)
    """By metric, one value for each epoch."""

    def add_release(self, number: int, classifier: str, *, filter_run: str = "filter") -> None:
        """Add a release of two runs."""
        self.releases[number] = SimpleNamespace(
            classifier=SimpleNamespace(run_id=classifier, recipe="toy/small"),
            filter=SimpleNamespace(run_id=filter_run, recipe="toy"),
            thresholds=THRESHOLDS,
            filter_threshold=0.5,
        )

    def add_run(self, experiment: str, run_id: str, name: str, **tags: str) -> None:
        """Add a line to the list of complete runs."""
        run = CompleteRun(run_id=run_id, name=name, started_ms=1_600_000_000_000, tags=tags, params={})
        self.runs.setdefault(experiment, []).append(run)

    def add_evaluation(self, run_id: str, predictions: Predictions) -> Path:
        """Store an evaluation as `hilum evaluate` does, and return its folder."""
        folder = self.folder / run_id / "evaluation" / "test"
        folder.mkdir(parents=True)
        record = {
            "data_digest": "00" * 32,
            "split": "test",
            **evaluate(predictions, n_bootstrap=100).as_dict(),
        }
        (folder / "result.json").write_text(json.dumps(record))
        predictions_frame(predictions).to_csv(folder / "predictions.csv", index=False)
        return folder

    def add_file(self, run_id: str, path: str, record: Any) -> Path:
        """Store a record as JSON, and return its file."""
        file = self.folder / run_id / path
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(record))
        return file

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand in for the server."""

        @contextmanager
        def downloaded(run_id: str, artifact: str) -> Iterator[Path]:
            yield self.folder / run_id / artifact

        def complete_runs(
            experiment: str,
            tags: Mapping[str, str | None],
            *,
            most: int,
        ) -> tuple[CompleteRun, ...]:
            return tuple(self.runs.get(experiment, [])[:most])

        def has_artifact(run_id: str, path: str) -> bool:
            return (self.folder / run_id / path).exists()

        def metric_history(run_id: str, names: tuple[str, ...]) -> pd.DataFrame:
            columns = {name: pd.Series(self.curves.get(name, []), dtype=float) for name in names}
            return pd.DataFrame(columns).rename_axis("epoch").reset_index()

        def run_tags(run_id: str) -> dict[str, str]:
            found = [run for runs in self.runs.values() for run in runs if run.run_id == run_id]
            return dict(found[0].tags) if found else {}

        for module, function in (
            (artifacts, downloaded),
            (artifacts, has_artifact),
            (tracking, complete_runs),
            (tracking, metric_history),
            (tracking, run_tags),
        ):
            monkeypatch.setattr(module, function.__name__, function)
        monkeypatch.setattr(
            "training.registry.Registry", lambda _: SimpleNamespace(aliases=lambda _: self.aliases)
        )
        monkeypatch.setattr(
            "training.promote.release.fetch_release",
            lambda _, number: SimpleNamespace(release=self.releases[number]),
        )
        monkeypatch.setattr(
            releases_api,
            "releases",
            lambda: tuple(SimpleNamespace(number=number) for number in sorted(self.releases, reverse=True)),
        )
