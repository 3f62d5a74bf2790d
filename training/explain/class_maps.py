"""Heat maps that need one pass through the network: the class activation map and Grad-CAM.

Both give signed evidence at the feature map's resolution: positive where a place speaks for the class.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from captum.attr import LayerGradCam
from numpy.typing import NDArray
from torch import Tensor, nn

from training.explain.batches import batches_of, device_of
from training.explain.decision import Integers
from training.models.network import RadiographNetwork


def class_activation_maps(
    network: RadiographNetwork, radiographs: NDArray[np.uint8], classes: Integers, description: str = "CAM"
) -> NDArray[np.float32]:
    """Return the activation map that the network itself gives: what serving shows.

    With a head of one linear layer it is the CAM of Zhou et al. (2016), eq. 2, plus the class's bias.

    Args:
        network: in evaluation mode.
        radiographs: (N, S, S) uint8.
        classes: (N,) the class to explain in each, in [0, K).
        description: of the progress bar.

    Returns:
        (N, h, w) float32.
    """
    maps = []
    with torch.inference_mode():
        for rows, batch in batches_of(network, radiographs, description):
            of_all_classes = network(batch).activation_map.float().cpu().numpy()
            maps.append(of_all_classes[np.arange(len(batch)), classes[rows]])
    return np.concatenate(maps)


def grad_cam_maps(
    network: RadiographNetwork,
    radiographs: NDArray[np.uint8],
    classes: Integers,
    description: str = "Grad-CAM",
    *,
    layer: nn.Module | None = None,
) -> NDArray[np.float32]:
    """Return Grad-CAM of the logits, before its ReLU, so that evidence against the class is seen too.

    map = sum_k a_k A_k with a_k = mean over positions of d logit / d A_k (Selvaraju et al. 2017, eq. 1
    and 2), A_k being the channels of a layer's output.

    Args:
        network: in evaluation mode; any backbone, trainable or frozen.
        radiographs: (N, S, S) uint8.
        classes: (N,) the class to explain in each, in [0, K).
        description: of the progress bar.
        layer: a layer of the network that gives (N, C, h, w); None for the backbone's feature map.

    Returns:
        (N, h, w) float32.
    """
    layer = network.backbone if layer is None else layer
    grad_cam = LayerGradCam(lambda batch: network(batch).logits, layer)
    targets = torch.from_numpy(classes).to(device_of(network))
    maps = []
    with torch.enable_grad(), _gradients_start_at(layer):
        for rows, batch in batches_of(network, radiographs, description):
            attribution: Tensor = grad_cam.attribute(batch, target=targets[rows])
            maps.append(attribution[:, 0].detach().float().cpu().numpy())
    return np.concatenate(maps)


@contextmanager
def _gradients_start_at(layer: nn.Module) -> Iterator[None]:
    """Make the layer's output the root of the gradients: it has them even where its weights are frozen."""

    def restart(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output.detach().requires_grad_()

    handle = layer.register_forward_hook(restart)
    try:
        yield
    finally:
        handle.remove()
