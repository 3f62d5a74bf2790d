"""Evaluation and report of many stored predictions in a process of its own: seconds and peak memory.

What is timed is reading `predictions.csv`, every metric of the whole and of every group with its interval,
and the table; then the report with its figures. What the process imports for it counts in its memory.
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from hilum.contract import CLASSIFIER
from tests.bench.report import Measurement
from tests.support.predictions import synthetic_predictions
from training.evaluate.evaluation import evaluate
from training.evaluate.predictions import Predictions, load_predictions, predictions_frame
from training.evaluate.tables import evaluation_frame
from training.report.contents import build_report
from training.report.model_card import model_card
from training.report.render import render_html
from training.tracking import MODEL_TAG

IMAGES = 100_000
SOURCES = 5
BOOTSTRAP = 1000


def compare_evaluation() -> list[Measurement]:
    """Evaluate and report 100,000 stored predictions: three classes; five sources, two views, sexes, ages."""
    with tempfile.TemporaryDirectory(prefix="hilum-bench-") as folder:
        path = Path(folder) / "predictions.csv"
        write_predictions(path)
        command = [sys.executable, "-m", "tests.bench.evaluation", str(path)]
        answer = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    measured = json.loads(answer.stdout)
    return [
        Measurement(name="evaluation_rows", what="numbers with an interval", value=measured["rows"]),
        Measurement(
            name="evaluation_s",
            what=f"evaluation of {IMAGES:,} predictions, bootstrap {BOOTSTRAP}, s",
            value=measured["seconds"],
            at_most=60,
        ),
        Measurement(
            name="report_s", what="their report, evaluated anew, s", value=measured["report"], at_most=60
        ),
        Measurement(
            name="evaluation_peak_gib",
            what="peak resident memory of both, GiB",
            value=measured["peak_bytes"] / 2**30,
            at_most=1,
        ),
    ]


def write_predictions(path: Path) -> None:
    """Store predictions as a run of `hilum evaluate` would."""
    predictions_frame(many_predictions()).to_csv(path, index=False)


def many_predictions(*, skill: float = 1.5) -> Predictions:
    """Return 100,000 predictions with all that they can be grouped by, two images a patient.

    Those of another `skill` are of the same images.
    """
    predictions = synthetic_predictions(n_images=IMAGES, skill=skill)
    random = np.random.default_rng(0)
    frame = predictions.frame.assign(
        source=[f"hospital {i}" for i in random.integers(0, SOURCES, IMAGES)],
        kind="frontal_cxr",
        view=random.choice(["PA", "AP"], IMAGES),
        sex=random.choice(["M", "F"], IMAGES),
        age=random.integers(20, 60, IMAGES).astype(str),
    )
    return replace(predictions, frame=frame, logits=np.log(predictions.probabilities))


def peak_bytes() -> int:
    """Return the most memory that this process has held at once.

    From the kernel's account of its address space: `getrusage` would also count the process that started it.
    """
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
def measured_process(path: Path) -> None:
    """Evaluate the predictions stored at PATH and print what that took as JSON."""
    start = time.perf_counter()
    predictions = load_predictions(path)
    rows = len(evaluation_frame(evaluate(predictions, n_bootstrap=BOOTSTRAP)))
    evaluated = time.perf_counter()
    card = model_card("bench", {MODEL_TAG: CLASSIFIER}, {})
    render_html(build_report(card, "test", predictions, n_bootstrap=BOOTSTRAP))
    measured = {"seconds": evaluated - start, "report": time.perf_counter() - evaluated, "rows": rows}
    click.echo(json.dumps(measured | {"peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    measured_process()
