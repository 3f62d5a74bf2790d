"""Where a network looks, class by class: as records, as a table, and in plain sentences."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from training.explain.explained import ExplainedImages
from training.explain.placement import FLAT_BORDER_SHARE
from training.explain.similarity import Mean, mean_of

WIDE_MARGIN = 0.02
"""Share of the area outside the film from which a heat map's mass there says something."""


@dataclass(frozen=True, slots=True)
class ClassSummary:
    """The heat maps of the images of one true class."""

    label: str
    """The class."""
    n_images: int
    """Images explained."""
    n_right: int
    """Of them, those that the network reports as this class."""
    border_share: Mean
    """Share of the map's mass on the outer tenth of the image; a flat map has `FLAT_BORDER_SHARE`."""
    outside_share: Mean
    """Share of the map's mass outside the film."""
    outside_area: float
    """Mean share of the area outside the film: what a flat map has there."""
    n_flipped: int | None
    """Images whose decision some covered square flips; None for methods that cover nothing."""


def summarise(explained: ExplainedImages) -> tuple[ClassSummary, ...]:
    """Return one summary for each class that has images, in the order of the classes."""
    frame, labels = explained.table.frame, explained.table.labels
    right = explained.table.targets == explained.decided
    summaries = []
    for label in labels:
        rows = (frame["label"] == label).to_numpy()
        if not rows.any():
            continue
        occlusion = explained.heat.occlusion
        summaries.append(
            ClassSummary(
                label=label,
                n_images=int(rows.sum()),
                n_right=int(right[rows].sum()),
                border_share=mean_of(explained.border_shares[rows], low=0, high=1),
                outside_share=mean_of(explained.outside_shares[rows], low=0, high=1),
                outside_area=float(explained.boxes.outside[rows].mean()),
                n_flipped=None if occlusion is None else int((occlusion.flipping[rows] > 0).sum()),
            )
        )
    return tuple(summaries)


def images_frame(explained: ExplainedImages, files: list[str]) -> pd.DataFrame:
    """Return one row per image: what it is, what was decided, where the mass lies, and its overlay's file."""
    labels, occlusion = explained.table.labels, explained.heat.occlusion
    frame = explained.table.frame[["path", "source", "patient_id", "label", "turns"]].assign(
        decided=[labels[index] for index in explained.decided],
        probability=explained.probabilities,
        border_share=explained.border_shares,
        outside_share=explained.outside_shares,
        outside_area=explained.boxes.outside,
        file=files,
    )
    if occlusion is not None:
        frame = frame.assign(flipping_squares=occlusion.flipping, squares=occlusion.places)
    return frame


def warnings_of(summaries: tuple[ClassSummary, ...]) -> tuple[str, ...]:
    """Return a sentence for each class whose heat maps lie where no lung is."""
    return tuple(sentence for summary in summaries for sentence in _class_warnings(summary))


def _class_warnings(summary: ClassSummary) -> Iterator[str]:
    """Yield what is wrong with the maps of one class."""
    name, border, outside = summary.label, summary.border_share, summary.outside_share
    flat, area = 100 * FLAT_BORDER_SHARE, 100 * summary.outside_area
    if border.value is not None and border.value >= FLAT_BORDER_SHARE:
        yield (
            f"{name}: {_percent(border)} of the maps' mass lies on the outer tenth of the image, where a map "
            f"that favours no place has {flat:.0f} %: the network may be reading markers, not lungs."
            f"{_doubt(border, FLAT_BORDER_SHARE)}"
        )
    if outside.value is not None and WIDE_MARGIN <= summary.outside_area <= outside.value:
        yield (
            f"{name}: {_percent(outside)} of the maps' mass lies outside the film, on black that is "
            f"{area:.0f} % of the area: the network may be reading the picture's proportions, not lungs."
            f"{_doubt(outside, summary.outside_area)}"
        )
    if border.value is None and outside.n:
        yield (
            f"{name}: the maps have too few cells to tell the border from the centre: use --method occlusion "
            "or a network with a finer feature map."
        )
    if outside.n < summary.n_images:
        silent = summary.n_images - outside.n
        yield f"{name}: {silent} of {summary.n_images} maps hold no evidence for the decided class anywhere."


def _doubt(share: Mean, flat: float) -> str:
    """Return what to say where the interval reaches below a flat map's share."""
    certain = share.lower is not None and share.lower >= flat
    return "" if certain else " Too few images to be sure: give more by --images."


def _percent(share: Mean) -> str:
    assert share.value is not None
    if share.lower is None or share.upper is None:
        return f"{100 * share.value:.0f} %"
    return f"{100 * share.value:.0f} % ({100 * share.lower:.0f} to {100 * share.upper:.0f} %)"
