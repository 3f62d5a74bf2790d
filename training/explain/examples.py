"""Examples to show: a few images of each class, and their overlays."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from training.data.cache import RadiographCache
from training.data.samples import SampleTable
from training.explain.decision import DecisionRule
from training.explain.explained import ExplainedImages, explain_table
from training.explain.methods import Method
from training.explain.occlusion import OcclusionConfig
from training.explain.pictures import as_png
from training.models.network import RadiographNetwork

REPORT_SIZE_PX = 256
"""Longer side of an example's overlay in a report: the canonical radiograph's own."""


@dataclass(frozen=True, slots=True)
class ExampleOverlay:
    """One radiograph under the heat map of what was decided about it."""

    path: str
    """The image, as in the data set's table."""
    label: str
    """Its true class."""
    decided: str
    """The class that the network reports, whose evidence is coloured."""
    probability: float
    """The probability of that class."""
    method: Method
    """How the evidence was found."""
    png: bytes
    """The overlay, without caption; show `hilum.contract.NOTICE` beside it."""
    border_share: float
    """Share of the map's mass on the outer tenth of the image; NaN where there is no evidence at all, or
    the map is too coarse to tell."""


def choose_examples(table: SampleTable, per_class: int, seed: int = 0) -> SampleTable:
    """Return up to `per_class` samples of each class, drawn at random, of different patients if possible.

    The same table and seed give the same samples, class after class.
    """
    random = np.random.default_rng(seed)
    chosen: list[int] = []
    for label in table.labels:
        rows = random.permutation(np.flatnonzero(table.frame["label"] == label))
        repeats = table.frame["patient_id"].iloc[rows].duplicated().to_numpy()
        chosen.extend(rows[np.argsort(repeats, kind="stable")][:per_class])
    return SampleTable(table.frame.iloc[chosen].reset_index(drop=True), table.labels)


def example_overlays(
    network: RadiographNetwork,
    table: SampleTable,
    cache: RadiographCache,
    *,
    method: Method = "cam",
    per_class: int = 3,
    seed: int = 0,
    rule: DecisionRule | None = None,
    occlusion: OcclusionConfig | None = None,
    size_px: int = REPORT_SIZE_PX,
) -> list[ExampleOverlay]:
    """Return overlays of a few images of each class, for a report.

    Args:
        network: it is put into evaluation mode, on a GPU where there is one.
        table: the split, decoded already (`build_samples`).
        cache: where its radiographs are.
        method: how evidence is found.
        per_class: images of each true class, of different patients if possible.
        seed: chooses the images.
        rule: how the network decides; None for the most probable class.
        occlusion: the square that covers; None for the default one.
        size_px: longer side of each overlay.
    """
    chosen = choose_examples(table, per_class, seed)
    explained = explain_table(network, chosen, cache, method, rule=rule, occlusion=occlusion)
    return list(overlays_of(explained, size_px))


def overlays_of(explained: ExplainedImages, size_px: int) -> Iterator[ExampleOverlay]:
    """Yield the overlay of each explained image, in their order."""
    frame, labels = explained.table.frame, explained.table.labels
    for index, share in enumerate(explained.border_shares):
        yield ExampleOverlay(
            path=str(frame["path"].iloc[index]),
            label=str(frame["label"].iloc[index]),
            decided=labels[explained.decided[index]],
            probability=float(explained.probabilities[index]),
            method=explained.heat.method,
            png=as_png(explained.picture(index, size_px)),
            border_share=float(share),
        )
