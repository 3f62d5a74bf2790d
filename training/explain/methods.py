"""One way to ask for any heat map."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from training.explain.batches import ready
from training.explain.class_maps import class_activation_maps, grad_cam_maps
from training.explain.decision import DecisionRule, Integers
from training.explain.occlusion import OcclusionConfig, OcclusionMaps, occlusion_maps
from training.explain.placement import on_canvas
from training.models.network import RadiographNetwork

Method = Literal["cam", "grad_cam", "occlusion"]
"""The network's own activation map; Grad-CAM at the backbone's feature map; the fall of probability."""

METHODS: tuple[Method, ...] = get_args(Method)

NAMES: dict[Method, str] = {"cam": "CAM", "grad_cam": "Grad-CAM", "occlusion": "occlusion"}
"""How each is called in a sentence."""


@dataclass(frozen=True, slots=True, eq=False)
class HeatMaps:
    """Where a network finds evidence for one class in each of N radiographs."""

    method: Method
    """How it was found."""
    maps: NDArray[np.float32]
    """(N, h, w) signed evidence over the network's canvas (`placement.on_canvas`), in the method's own
    unit: it compares places in one image and not one image with another."""
    occlusion: OcclusionMaps | None = None
    """What covering each place did; None for the other methods."""


def explain_images(
    network: RadiographNetwork,
    radiographs: NDArray[np.uint8],
    classes: Integers,
    method: Method,
    *,
    occlusion: OcclusionConfig | None = None,
    rule: DecisionRule | None = None,
    description: str = "",
) -> HeatMaps:
    """Return one heat map per radiograph; on a GPU where there is one.

    Args:
        network: it is put into evaluation mode.
        radiographs: (N, S, S) uint8, N being 1 or more.
        classes: (N,) the class to explain in each, in [0, K): as a rule the one that was decided.
        method: how.
        occlusion: the square that covers; None for the default one. Only occlusion asks.
        rule: what gives probabilities and decisions; None for the most probable. Only occlusion asks.
        description: of the progress bar; the method's name where empty.

    Raises:
        UsageError: the occluding square is larger than the radiographs.
    """
    network = ready(network)
    description = description or NAMES[method]
    if method == "cam":
        return HeatMaps(method, class_activation_maps(network, radiographs, classes, description))
    if method == "grad_cam":
        return HeatMaps(method, grad_cam_maps(network, radiographs, classes, description))
    found = occlusion_maps(
        network,
        radiographs,
        classes,
        occlusion or OcclusionConfig(),
        rule or DecisionRule(),
        description,
    )
    return HeatMaps(method, on_canvas(found.drop, network.config.canvas_px), found)
