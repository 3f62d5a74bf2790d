"""Whether a heat map may be believed: it follows the weights, and other methods see the same place."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from training.explain.decision import DecisionRule
from training.explain.explained import ExplainedImages
from training.explain.methods import METHODS, NAMES, Method, explain_images
from training.explain.occlusion import OcclusionConfig
from training.explain.randomisation import RandomisedStage, depends_on_weights, randomisation_test
from training.explain.similarity import Mean, mean_of, rank_correlations
from training.models.network import RadiographNetwork

IMAGES_PER_CLASS = 4
"""Most images of each class that are checked: each takes a dozen heat maps and more."""


@dataclass(frozen=True, slots=True)
class Sanity:
    """What the checks of one method's heat maps gave."""

    method: Method
    """The method that was checked."""
    stages: tuple[RandomisedStage, ...]
    """The randomisation test, from the head down."""
    agreement: Mapping[str, Mean]
    """By pair of methods: the mean over images of the rank correlation of their maps."""

    @property
    def sentence(self) -> str:
        """What the randomisation test says, in one sentence."""
        last = self.stages[-1].rank_correlation
        name = NAMES[self.method]
        if depends_on_weights(self.stages):
            return (
                f"With all weights random the {name} maps keep a rank correlation of {last} with the trained "
                "network's: they depend on what it learnt."
            )
        return (
            f"With all weights random the {name} maps keep a rank correlation of {last} with the trained "
            "network's: they show the image rather than the network. Do not read them as its reasons."
        )


def check_sanity(
    network: RadiographNetwork,
    explained: ExplainedImages,
    *,
    rule: DecisionRule | None = None,
    occlusion: OcclusionConfig | None = None,
    draws: int = 2,
    seed: int = 0,
) -> Sanity:
    """Randomise the network's weights, and compare its heat maps with those of the other methods.

    Args:
        network: the trained network, which is left as it is.
        explained: heat maps of one method; the first `IMAGES_PER_CLASS` images of each class are used.
        rule: how the network decides; None for the most probable class.
        occlusion: the square that covers; None for the default one.
        draws: sets of random weights.
        seed: of those weights.
    """
    rows = _first_of_each_class(explained)
    radiographs, classes, method = explained.radiographs[rows], explained.decided[rows], explained.heat.method

    def maps_of(asked: RadiographNetwork, by: Method, description: str) -> NDArray[np.float32]:
        found = explain_images(
            asked, radiographs, classes, by, occlusion=occlusion, rule=rule, description=description
        )
        return found.maps

    stages = randomisation_test(
        network, lambda asked, description: maps_of(asked, method, description), draws=draws, seed=seed
    )
    maps = {
        by: explained.heat.maps[rows] if by == method else maps_of(network, by, NAMES[by]) for by in METHODS
    }
    agreement = {
        f"{NAMES[one]} and {NAMES[other]}": mean_of(rank_correlations(maps[one], maps[other]), low=-1, high=1)
        for one, other in combinations(METHODS, 2)
    }
    return Sanity(method, stages, agreement)


def _first_of_each_class(explained: ExplainedImages) -> NDArray[np.int64]:
    """Return the places of the first few images of each true class."""
    place = explained.table.frame.groupby("label").cumcount().to_numpy()
    return np.flatnonzero(place < IMAGES_PER_CLASS)
