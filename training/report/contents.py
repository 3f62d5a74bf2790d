"""Gathers what a report says, from stored predictions: no network is needed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.association import CONFOUNDED_FROM
from training.evaluate.alerts import AlertLoad, alert_load
from training.evaluate.decision_curve import DecisionCurve, decision_curves
from training.evaluate.evaluation import Evaluation, evaluate
from training.evaluate.predictions import Predictions
from training.evaluate.source_probe import SourceProbe, probe_source
from training.evaluate.thresholds import ThresholdRow, threshold_table
from training.explain.examples import ExampleOverlay
from training.report.model_card import ModelCard

SHOWN_THRESHOLDS = tuple(step / 20 for step in range(1, 20))
"""Thresholds of the table: 0.05 to 0.95."""

PREVALENCES = (0.01, 0.05, 0.2)
"""Shares of a class among examinations that alerts are counted at."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the document shows, in the order in which it does."""

    card: ModelCard
    split: str
    """Which images were evaluated."""
    evaluation: Evaluation
    predictions: Predictions
    probe: SourceProbe | None
    """How well the source is recognised from the embedding; None where no embedding is stored."""
    thresholds: Mapping[str, tuple[ThresholdRow, ...]]
    """By reported class: what each of `SHOWN_THRESHOLDS` gives."""
    alerts: Mapping[str, tuple[tuple[ThresholdRow, tuple[AlertLoad, ...]], ...]]
    """By reported class: some thresholds, and their alerts at `PREVALENCES`."""
    curves: Mapping[str, DecisionCurve]
    """By reported class."""
    drop: tuple[Mapping[str, Any], ...]
    """Rows of the comparison with the internal test split; empty for that split itself."""
    examples: tuple[ExampleOverlay, ...]
    """Radiographs under their heat maps; empty where the images were not at hand."""

    @property
    def alarms(self) -> tuple[str, ...]:
        """What the first screen must say before any number."""
        strength = self.evaluation.source_label_association
        sentences = list(self.evaluation.warnings)
        if self.probe is not None and (self.probe.is_high or (strength or 0) >= CONFOUNDED_FROM):
            sentences.append(self.probe.verdict())
        return tuple(sentences)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as objects that JSON can carry; pictures and single predictions are left out."""
        examples = [
            {key: value for key, value in asdict(example).items() if key != "png"}
            for example in self.examples
        ]
        return {
            "model_card": asdict(self.card),
            "split": self.split,
            "alarms": list(self.alarms),
            "evaluation": self.evaluation.as_dict(),
            "source_probe": self.probe.as_dict() if self.probe else None,
            "thresholds": {label: [asdict(row) for row in rows] for label, rows in self.thresholds.items()},
            "alerts_per_1000": {
                label: [
                    {"threshold": row.threshold, "loads": [asdict(load) for load in loads]}
                    for row, loads in rows
                ]
                for label, rows in self.alerts.items()
            },
            "decision_curves": {label: curve.as_dict() for label, curve in self.curves.items()},
            "drop": [dict(row) for row in self.drop],
            "examples": examples,
        }


def build_report(
    card: ModelCard,
    split: str,
    predictions: Predictions,
    *,
    embeddings: NDArray[np.floating[Any]] | None = None,
    drop: Sequence[Mapping[str, Any]] = (),
    examples: Sequence[ExampleOverlay] = (),
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Report:
    """Measure stored predictions and gather everything that a report shows.

    Args:
        card: of the network.
        split: which images these are.
        predictions: of N images.
        embeddings: (N, D) of the same images, for the source probe.
        drop: rows of the comparison with the internal test split.
        examples: overlays to show.
        n_bootstrap: resamplings of the patients.
        seed: of the resamplings and of the probe.
    """
    frame, labels = predictions.frame, predictions.labels
    scores = {
        labels[k]: (predictions.probabilities[:, k], predictions.truth == k) for k in predictions.reported
    }
    probe = None
    if embeddings is not None:
        truth = np.array(labels)[predictions.truth]
        sources, patients = frame["source"].to_numpy(), frame["patient_id"].to_numpy()
        probe = probe_source(embeddings, sources, patients, seed=seed, labels=truth)
    return Report(
        card=card,
        split=split,
        evaluation=evaluate(predictions, n_bootstrap=n_bootstrap, seed=seed),
        predictions=predictions,
        probe=probe,
        thresholds={label: threshold_table(*pair, SHOWN_THRESHOLDS) for label, pair in scores.items()},
        alerts={
            label: tuple(_loads(row) for row in threshold_table(*pair, (0.1, 0.3, 0.5, 0.7, 0.9)))
            for label, pair in scores.items()
            if 0 < pair[1].sum() < len(pair[1])
        },
        curves=decision_curves(predictions, n_bootstrap=n_bootstrap, seed=seed),
        drop=tuple(drop),
        examples=tuple(examples),
    )


def _loads(row: ThresholdRow) -> tuple[ThresholdRow, tuple[AlertLoad, ...]]:
    return row, tuple(alert_load(row, prevalence) for prevalence in PREVALENCES)
