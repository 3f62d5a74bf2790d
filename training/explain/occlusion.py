"""Occlusion maps: what happens to the answer when a square of the radiograph is covered.

Deep-COVID (arXiv 2004.09363, section 4.7) marks the squares whose covering flips the decision; Zeiler and
Fergus (2014, section 4.2) map how far the class's probability falls. One sweep gives both. captum's
`Occlusion` has the second only, and not the decision.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from hilum.console import track
from hilum.errors import UsageError
from training.explain.batches import BATCH_SIZE, device_of, logits_of
from training.explain.decision import DecisionRule, Floats, Integers
from training.explain.placement import film_boxes
from training.models.network import RadiographNetwork

Fill = Literal["black", "mean"]
"""What covers: black, or the mean gray of the radiograph's film."""


@dataclass(frozen=True, kw_only=True)
class OcclusionConfig:
    """The square that covers, in pixels of the canonical radiograph."""

    size_px: int = 64
    """Its side, N in Deep-COVID, which does not say how large."""
    stride_px: int = 32
    """From one place to the next, S in Deep-COVID; at most the side, so that no pixel is left out."""
    fill: Fill = "black"
    """What it is filled with."""

    def __post_init__(self) -> None:
        if not 1 <= self.stride_px <= self.size_px:
            raise UsageError(
                f"The occluder's stride must lie between 1 px and its side of {self.size_px} px, "
                f"got {self.stride_px}: with a longer one parts of the radiograph would never be covered."
            )

    def places(self, side_px: int) -> list[tuple[int, int]]:
        """Return top and left of each place on a square radiograph; the last ones end at its edge.

        Raises:
            UsageError: the square is larger than the radiograph.
        """
        if self.size_px > side_px:
            raise UsageError(
                f"The occluder's side must be at most the radiograph's {side_px} px, got {self.size_px}."
            )
        last = side_px - self.size_px
        starts = [*range(0, last, self.stride_px), last]
        return [(top, left) for top in starts for left in starts]


@dataclass(frozen=True, slots=True, eq=False)
class OcclusionMaps:
    """What covering each place of N radiographs did."""

    drop: NDArray[np.float32]
    """(N, S, S) mean fall of the explained class's probability over the squares that cover a pixel, in
    [-1, 1]."""
    flips: NDArray[np.int64]
    """(N, S, S) squares covering a pixel that flip the decision: above 0 is Deep-COVID's marked region."""
    flipping: Integers
    """(N,) squares of the radiograph that flip the decision."""
    places: int
    """Squares that each radiograph was covered by, one at a time."""


def occlusion_maps(
    network: RadiographNetwork,
    radiographs: NDArray[np.uint8],
    classes: Integers,
    config: OcclusionConfig,
    rule: DecisionRule,
    description: str = "occlusion",
) -> OcclusionMaps:
    """Cover each place of each radiograph in turn and ask the network again.

    Args:
        network: in evaluation mode.
        radiographs: (N, S, S) uint8.
        classes: (N,) the class whose probability is followed, in [0, K).
        config: the square.
        rule: gives the probabilities, and the decision that may flip.
        description: of the progress bar, which counts batches of covered images.

    Raises:
        UsageError: the square is larger than the radiographs.
    """
    n, side, _ = radiographs.shape
    places = config.places(side)
    before = logits_of(network, radiographs, description)
    after = _logits_when_covered(network, radiographs, places, config, description)
    repeated = np.repeat(classes, len(places))
    probabilities = rule.probabilities(after)[np.arange(len(after)), repeated].reshape(n, -1)
    drops = rule.probabilities(before)[np.arange(n), classes][:, None] - probabilities
    flipped = rule.classes(after).reshape(n, -1) != rule.classes(before)[:, None]
    drop, flips = np.zeros((n, side, side)), np.zeros((n, side, side), np.int64)
    covered = np.zeros((side, side))
    for index, (top, left) in enumerate(places):
        square = np.s_[top : top + config.size_px, left : left + config.size_px]
        drop[:, *square] += drops[:, index, None, None]
        flips[:, *square] += flipped[:, index, None, None]
        covered[square] += 1
    return OcclusionMaps(
        (drop / covered).astype(np.float32), flips, flipped.sum(axis=1).astype(np.int64), len(places)
    )


def _logits_when_covered(
    network: RadiographNetwork,
    radiographs: NDArray[np.uint8],
    places: list[tuple[int, int]],
    config: OcclusionConfig,
    description: str,
) -> Floats:
    """Return (N x places, K) logits, the places of one radiograph after the other."""
    levels = _fill_levels(radiographs, config.fill)
    jobs = [(index, *place) for index in range(len(radiographs)) for place in places]
    logits = []
    starts = range(0, len(jobs), BATCH_SIZE)
    with torch.inference_mode():
        for start in track(starts, description, total=len(starts)):
            batch = jobs[start : start + BATCH_SIZE]
            covered = radiographs[[index for index, _, _ in batch]]
            for image, (index, top, left) in zip(covered, batch, strict=True):
                image[top : top + config.size_px, left : left + config.size_px] = levels[index]
            images = torch.from_numpy(covered[:, None]).to(device_of(network))
            logits.append(network(images).logits.double().cpu().numpy())
    return np.concatenate(logits)


def _fill_levels(radiographs: NDArray[np.uint8], fill: Fill) -> NDArray[np.uint8]:
    """Return (N,) the gray level that covers each radiograph."""
    if fill == "black":
        return np.zeros(len(radiographs), np.uint8)
    boxes, side = film_boxes(radiographs), radiographs.shape[-1]
    rows, columns = np.arange(side)[:, None], np.arange(side)[None]
    levels = []
    for image, *edges in zip(radiographs, boxes.top, boxes.bottom, boxes.left, boxes.right, strict=True):
        top, bottom, left, right = (round(edge * side) for edge in edges)
        levels.append(image[(rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)].mean())
    return np.array(levels).round().astype(np.uint8)
