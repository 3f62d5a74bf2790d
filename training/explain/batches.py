"""Runs a network over radiographs held in memory, batch by batch, with a progress bar."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hilum.console import track
from training.explain.decision import Floats
from training.models.network import RadiographNetwork

BATCH_SIZE = 32
"""Images per forward pass."""


def ready(network: RadiographNetwork) -> RadiographNetwork:
    """Put a network into evaluation mode, on a GPU where there is one, and return it."""
    return network.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def device_of(network: RadiographNetwork) -> torch.device:
    """Return where the network's weights lie."""
    return next(network.parameters()).device


def batches_of(
    network: RadiographNetwork, radiographs: NDArray[np.uint8], description: str
) -> Iterator[tuple[slice, Tensor]]:
    """Yield (N, S, S) radiographs as (B, 1, S, S) uint8 tensors on the network's device, and their places."""
    starts = range(0, len(radiographs), BATCH_SIZE)
    for start in track(starts, description, total=len(starts)):
        rows = slice(start, min(start + BATCH_SIZE, len(radiographs)))
        yield rows, torch.from_numpy(radiographs[rows, None]).to(device_of(network))


def logits_of(network: RadiographNetwork, radiographs: NDArray[np.uint8], description: str) -> Floats:
    """Return (N, K) float64 logits of (N, S, S) uint8 radiographs."""
    with torch.inference_mode():
        logits = [
            network(batch).logits.double().cpu().numpy()
            for _, batch in batches_of(network, radiographs, description)
        ]
    return np.concatenate(logits)
