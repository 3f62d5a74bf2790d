"""Whether a heat map depends on what the network has learnt.

The model parameter randomisation test of Adebayo et al. (2018, "Sanity checks for saliency maps", section
3): weights are replaced by random ones, cascading from the head down, and the heat map is compared with
the trained network's at each stage. A map that stays as it was shows the image and not the network.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.explain.similarity import Mean, mean_of, rank_correlations, structural_similarities
from training.models.network import RadiographNetwork

Explain = Callable[[RadiographNetwork, str], NDArray[np.float32]]
"""A network and a description for the progress bar to (N, h, w) heat maps of fixed images and classes."""

UNCHANGED_FROM = 0.5
"""Mean rank correlation with the trained network's maps from which those of random weights are said to be
the same. Our choice: the paper draws no line."""

PARTS = 4
"""Steps in which the backbone's layers are randomised, after the head."""


@dataclass(frozen=True, slots=True)
class RandomisedStage:
    """How much the heat maps still are those of the trained network."""

    name: str
    """What was randomised: the head, and the last layers of the backbone."""
    weights: float
    """Share of the network's weights that were randomised, in (0, 1]."""
    rank_correlation: Mean
    """Spearman's, over images, each the mean over draws; 0 is unrelated, 1 unchanged."""
    structural_similarity: Mean
    """SSIM, likewise."""


def randomisation_test(
    network: RadiographNetwork, explain: Explain, *, draws: int = 2, seed: int = 0
) -> tuple[RandomisedStage, ...]:
    """Return how the heat maps change as weights are randomised from the head down to the first layer.

    Args:
        network: the trained network, which is left as it is.
        explain: makes the heat maps of some images, always for the same classes.
        draws: independent sets of random weights.
        seed: of those weights.
    """
    trained = explain(network, "trained weights")
    stages = _stages(network)
    ranks, structures = np.zeros((2, draws, len(stages), len(trained)))
    for draw in range(draws):
        randomised = deepcopy(network).cpu()
        for index, (name, modules) in enumerate(stages):
            _randomise(randomised, modules, seed + draw * len(stages) + index)
            maps = explain(randomised, f"random: {name}")
            randomised.cpu()
            ranks[draw, index] = rank_correlations(trained, maps)
            structures[draw, index] = structural_similarities(trained, maps)
    shares = _weight_shares(network, [modules for _, modules in stages])
    return tuple(
        RandomisedStage(name, shares[index], _mean(ranks[:, index]), _mean(structures[:, index]))
        for index, (name, _) in enumerate(stages)
    )


def depends_on_weights(stages: tuple[RandomisedStage, ...]) -> bool:
    """Answer whether the maps of all-random weights differ from those of the trained ones."""
    last = stages[-1].rank_correlation.value
    return last is not None and last < UNCHANGED_FROM


def _mean(values: NDArray[np.float64]) -> Mean:
    """Return the mean over images of (draws, N) similarities."""
    return mean_of(values.mean(axis=0), low=-1, high=1)


def _stages(network: RadiographNetwork) -> list[tuple[str, list[str]]]:
    """Return each stage's name and the layers that it randomises besides those of the stages before it.

    Layers are taken in the order in which the network lists them, which is that of its forward pass.
    """
    layers = [name for name, module in network.named_modules() if list(module.parameters(recurse=False))]
    head = [name for name in layers if name.startswith("head.") or name == "head"]
    from_the_top = [name for name in layers if name not in set(head)][::-1]
    parts = [list(part) for part in np.array_split(np.array(from_the_top), min(PARTS, len(from_the_top)))]
    stages = [("head", head)]
    for number, part in enumerate(parts, start=1):
        share = round(100 * number / len(parts))
        stages.append(("all weights" if share == 100 else f"head and last {share} % of layers", part))
    return stages


def _randomise(network: RadiographNetwork, layers: list[str], seed: int) -> None:
    """Give layers new weights, of a scale that passes signals on: He et al. (2015), eq. 14.

    Normalisation forgets its statistics; biases are drawn as torch draws them.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in map(network.get_submodule, layers):
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
            for parameter in module.parameters(recurse=False):
                if parameter.ndim > 1:
                    nn.init.kaiming_normal_(parameter, nonlinearity="relu")


def _weight_shares(network: RadiographNetwork, parts: list[list[str]]) -> list[float]:
    """Return the share of all weights that lie in the layers of each part and those before it."""
    sizes = [
        sum(p.numel() for name in part for p in network.get_submodule(name).parameters(recurse=False))
        for part in parts
    ]
    return [float(share) for share in np.cumsum(sizes) / sum(sizes)]
