"""Compares two training runs by the predictions that their evaluations stored, and logs what was found."""

import json
from dataclasses import dataclass, replace

from hilum.errors import UsageError
from training import artifacts, tracking
from training.errors import UnknownVersionError
from training.evaluate.comparison import Comparison, compare
from training.evaluate.comparison_figures import decision_curve_figure, forest_figure
from training.evaluate.comparison_tables import comparison_frame
from training.evaluate.decision_curve import decision_curves
from training.evaluate.predictions import Predictions, load_predictions


@dataclass(frozen=True, slots=True)
class StoredEvaluation:
    """What the evaluation of a run on one split left in MLflow."""

    run_id: str
    """The training run."""
    name: str
    """The run's name and the beginning of its id."""
    predictions: Predictions
    """What the network said about the split."""
    data_digest: str
    """Of the data set that the split belongs to."""


def fetch_evaluation(model: str, run_id: str, split: str) -> StoredEvaluation:
    """Return what `hilum evaluate` stored of a complete run.

    Raises:
        UnknownVersionError: there is no such run of the model, or it was not evaluated on the split.
    """
    run = tracking.find_run(model, run_id)
    folder = f"evaluation/{split}"
    if not artifacts.has_artifact(run_id, f"{folder}/predictions.csv"):
        raise UnknownVersionError(
            f"Run {run_id} has no stored predictions of split {split}. Make them with "
            f"`hilum evaluate {model.removeprefix('xray_')} --data DIR --split {split} --run {run_id}`."
        )
    with artifacts.downloaded(run_id, f"{folder}/predictions.csv") as path:
        predictions = load_predictions(path)
    with artifacts.downloaded(run_id, f"{folder}/result.json") as path:
        digest = json.loads(path.read_text())["data_digest"]
    return StoredEvaluation(run_id, f"{run.info.run_name} ({run_id[:8]})", predictions, digest)


def compare_evaluations(
    a: StoredEvaluation, b: StoredEvaluation, *, n_bootstrap: int, seed: int = 0
) -> Comparison:
    """Compare two runs on the cases that both were evaluated on, as `compare` does.

    Raises:
        UsageError: both are the same run, or their cases or labels differ.
    """
    if a.run_id == b.run_id:
        raise UsageError(f"Both runs are {a.run_id}: name two different ones.")
    comparison = compare(a.predictions, b.predictions, n_bootstrap=n_bootstrap, seed=seed)
    if a.data_digest == b.data_digest:
        return comparison
    warning = (
        "The runs were evaluated on two versions of the data set. Paths, labels, patients and sources of the "
        "cases agree; whether the pictures do is not known. Evaluate both again to be sure."
    )
    return replace(comparison, warnings=(warning, *comparison.warnings))


def log_comparison(a: StoredEvaluation, b: StoredEvaluation, split: str, comparison: Comparison) -> None:
    """Log a comparison to run A: its record, table, forest plot and the decision curves of both networks."""
    curves = [
        decision_curves(of_one.predictions, n_bootstrap=comparison.n_bootstrap, seed=comparison.seed)
        for of_one in (a, b)
    ]
    figures = {"forest": forest_figure(comparison, (a.name, b.name))}
    if curves[0]:
        by_class = {label: {"A": curve, "B": curves[1][label]} for label, curve in curves[0].items()}
        figures["decision_curves"] = decision_curve_figure(by_class)
    tracking.log_results(
        a.run_id,
        f"comparison/{b.run_id}/{split}",
        record={"run_a": a.run_id, "run_b": b.run_id, "split": split, **comparison.as_dict()},
        table=comparison_frame(comparison),
        figures=figures,
    )
