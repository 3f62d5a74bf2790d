"""`python -m tests.bench.drift_false_alarms`: how often the drift alarm errs, and what it notices.

Draws reference samples and windows of served images from real scores, with replacement, and judges each
window as the recording rules do: bucketed Kolmogorov-Smirnov distance against Smirnov's bound. Prints a table
and one JSON line; the numbers of docs/monitoring.md come from here. The networks are asked once: their
answers are kept in the file of `--scores`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log, sqrt
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from hilum.console import stdout, track
from hilum.reference import DISTANCE_BOUNDS, EMBEDDING_DISTANCE, PROBABILITY_BOUNDS, SIGNALS, embedding_scale
from tests.bench.drift_scores import CHANGES, DriftScores, score_images
from training.promote.reference import leave_one_out_distances

ALPHA = 0.001
"""What a signal's alarm may err at most in one window, were its images independent."""

C_ALPHA = sqrt(-log(ALPHA / 2) / 2)
"""1.949, the constant of the recording rule: c in Smirnov's bound c sqrt((n + m) / (n m))."""

REFERENCE_IMAGES = 240
"""Valid radiographs in a reference sample: what the validation split of the measured data set holds."""

WINDOWS = (150, 300, 1000, 3000)
"""Images of a window."""

LEAST_IMAGES = 100
"""Images of a signal in a window below which the alert judges nothing."""

Indices = NDArray[np.intp]
Draw = Callable[[np.random.Generator, int], Indices]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """One kind of traffic."""

    name: str
    """For the table."""
    reference: Draw
    """Draws a reference sample of so many images."""
    window: Draw
    """Draws a window of so many images."""
    change: str = ""
    """Which of `CHANGES` was made to the images of the window."""
    is_same: bool = False
    """Whether an alarm is a false one."""


@click.command()
@click.option(
    "--scores", type=click.Path(path_type=Path), required=True, help="Kept answers; made if absent."
)
@click.option("--data", type=click.Path(path_type=Path), help="Data set, where the answers are not kept yet.")
@click.option("--filter", "filter_onnx", type=click.Path(path_type=Path), help="ONNX file, likewise.")
@click.option("--classifier", "classifier_onnx", type=click.Path(path_type=Path), help="Likewise.")
@click.option(
    "--trials", type=click.IntRange(100), default=5000, show_default=True, help="For unchanged traffic."
)
@click.option("--power-trials", type=click.IntRange(100), default=500, show_default=True, help="For others.")
@click.option("--reference", "size", type=click.IntRange(10), default=REFERENCE_IMAGES, show_default=True)
def main(
    scores: Path,
    data: Path | None,
    filter_onnx: Path | None,
    classifier_onnx: Path | None,
    trials: int,
    power_trials: int,
    size: int,
) -> None:
    """Simulate windows of unchanged and of changed traffic, and count the alarms."""
    if not scores.exists():
        if data is None or filter_onnx is None or classifier_onnx is None:
            raise click.UsageError(f"{scores} is not there: give --data, --filter and --classifier.")
        score_images(data, filter_onnx=filter_onnx, classifier_onnx=classifier_onnx).save(scores)
    simulation = Simulation(DriftScores.load(scores))
    table = Table("Traffic", "Window", *SIGNALS, "any of them")
    record: dict[str, Mapping[str, float]] = {}
    for scenario in simulation.scenarios():
        repeats = trials if scenario.is_same else power_trials
        alarms = simulation.count_alarms(scenario, size=size, trials=repeats)
        for n, shares in alarms.items():
            record[f"{scenario.name}, {n}"] = shares
            table.add_row(scenario.name, str(n), *(f"{100 * share:.2f} %" for share in shares.values()))
    stdout.print(table)
    head = {
        "bench": "drift_false_alarms",
        "trials": trials,
        "power_trials": power_trials,
        "reference_images": size,
        "alpha": ALPHA,
    }
    print(json.dumps(head | record))


class Simulation:
    """Draws from real scores."""

    def __init__(self, scores: DriftScores) -> None:
        self._scores = scores
        self._buckets = {
            "valid_probability": _buckets(scores.valid_probability, PROBABILITY_BOUNDS),
            "lung_opacity": _buckets(scores.findings[:, 0], PROBABILITY_BOUNDS),
            "covid19": _buckets(scores.findings[:, 1], PROBABILITY_BOUNDS),
        }
        self._valid = np.flatnonzero(scores.is_valid & (scores.change == ""))
        self._by_patient = [
            self._valid[scores.patient[self._valid] == patient]
            for patient in np.unique(scores.patient[self._valid])
        ]

    def scenarios(self) -> list[Scenario]:
        """Return every kind of traffic: unchanged first."""
        scores, valid = self._scores, self._valid
        covid19 = scores.finding == "covid19"
        share = covid19[valid].mean()
        weights = np.where(covid19, 2.0, (1 - 2 * share) / (1 - share))
        others = np.flatnonzero(~scores.is_valid)  # these have no changed copies
        images = self._images(valid)
        sources = [str(name) for name in np.unique(scores.source[valid]) if name != "talo_covid"]
        return [
            Scenario(name="the same", reference=images, window=images, is_same=True),
            Scenario(
                name="the same, by patients", reference=self._patients, window=self._patients, is_same=True
            ),
            Scenario(
                name="COVID-19 twice as often", reference=images, window=self._images(valid, weights[valid])
            ),
            *(
                Scenario(
                    name=f"{share:.0%} no radiographs",
                    reference=images,
                    window=self._mixed(valid, others, share),
                )
                for share in (0.05, 0.1, 0.2)
            ),
            *(
                Scenario(
                    name=f"only {source}",
                    reference=images,
                    window=self._images(valid[scores.source[valid] == source]),
                )
                for source in sources
            ),
            *(
                Scenario(
                    name=change,
                    reference=images,
                    window=self._images(np.flatnonzero(scores.change == change)),
                    change=change,
                )
                for change in CHANGES
            ),
        ]

    def count_alarms(self, scenario: Scenario, *, size: int, trials: int) -> dict[int, dict[str, float]]:
        """Return the share of windows with an alarm, by the window's images and by signal."""
        random = np.random.default_rng(0)
        rows = np.flatnonzero(self._scores.accepted & np.isin(self._scores.change, ["", scenario.change]))
        alarms = {n: np.zeros(len(SIGNALS) + 1) for n in WINDOWS}
        for _ in track(range(trials), scenario.name, total=trials):
            sample = scenario.reference(random, size)
            buckets, expected = self._reference(sample, rows)
            for n in WINDOWS:
                window = scenario.window(random, n)
                fired = [
                    is_alarm(expected[signal], self._counts(buckets[signal], signal, window))
                    for signal in SIGNALS
                ]
                alarms[n] += [*fired, any(fired)]
        return {
            n: dict(zip((*SIGNALS, "any"), (counts / trials).tolist(), strict=True))
            for n, counts in alarms.items()
        }

    def _reference(self, sample: Indices, rows: Indices) -> tuple[dict[str, Indices], dict[str, Indices]]:
        """Return the bucket of `rows` and the sample's counts, by signal, as a release computes them."""
        of_sample = self._scores.embeddings[sample[self._scores.accepted[sample]]].astype(np.float64)
        distances = np.full(len(self._scores.accepted), np.nan)
        standard = (self._scores.embeddings[rows] - of_sample.mean(axis=0)) / embedding_scale(
            of_sample.std(axis=0)
        )
        distances[rows] = np.sqrt((standard**2).mean(axis=1))
        buckets = self._buckets | {EMBEDDING_DISTANCE: _buckets(distances, DISTANCE_BOUNDS)}
        counts = {signal: self._counts(buckets[signal], signal, sample) for signal in SIGNALS}
        counts[EMBEDDING_DISTANCE] = np.bincount(
            _buckets(leave_one_out_distances(of_sample), DISTANCE_BOUNDS), minlength=len(DISTANCE_BOUNDS) + 1
        )
        return buckets, counts

    def _counts(self, buckets: Indices, signal: str, images: Indices) -> Indices:
        """Return images per bucket; of the classifier's signals only accepted images have one."""
        kept = images if signal == "valid_probability" else images[self._scores.accepted[images]]
        bounds = DISTANCE_BOUNDS if signal == EMBEDDING_DISTANCE else PROBABILITY_BOUNDS
        return np.bincount(buckets[kept], minlength=len(bounds) + 1)

    def _images(self, among: Indices, weights: NDArray[np.float64] | None = None) -> Draw:
        """Draw single images, independently."""
        p = None if weights is None else weights / weights.sum()
        return lambda random, n: random.choice(among, n, p=p)

    def _mixed(self, first: Indices, second: Indices, share: float) -> Draw:
        """Draw single images, a share of them from a second kind."""
        return lambda random, n: np.where(
            random.random(n) < share, random.choice(second, n), random.choice(first, n)
        )

    def _patients(self, random: np.random.Generator, n: int) -> Indices:
        """Draw patients with all of their images until there are n images."""
        drawn = random.integers(0, len(self._by_patient), n)  # each has one image at least
        images: Indices = np.concatenate([self._by_patient[patient] for patient in drawn])
        return images[:n]


def is_alarm(expected: Indices, found: Indices) -> bool:
    """Whether the largest gap between two cumulative shares exceeds Smirnov's bound."""
    m, n = expected.sum(), found.sum()
    gap = np.abs(np.cumsum(expected) / m - np.cumsum(found) / max(n, 1)).max()
    return bool(n >= LEAST_IMAGES and gap > C_ALPHA * sqrt((n + m) / (n * m)))


def _buckets(values: NDArray[np.floating], bounds: tuple[float, ...]) -> Indices:  # type: ignore[type-arg]
    buckets: Indices = np.searchsorted(bounds, values.astype(np.float64), side="left")
    return buckets


if __name__ == "__main__":
    main()
