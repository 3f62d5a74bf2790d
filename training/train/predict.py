"""Runs a network over a table of samples."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from hilum.console import track
from training.data.cache import RadiographCache
from training.data.samples import RadiographSamples, SampleTable
from training.models.network import RadiographNetwork

BATCH_SIZE = 32
"""Images per forward pass."""


def predict_probabilities(
    network: RadiographNetwork, table: SampleTable, cache: RadiographCache
) -> NDArray[np.float64]:
    """Return (N, K) probabilities of the table's samples, in its order; on a GPU where there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    loader: DataLoader[Any] = DataLoader(RadiographSamples(table, cache), batch_size=BATCH_SIZE)
    network = network.to(device).eval()
    rows: list[NDArray[np.float64]] = []
    with torch.inference_mode():
        for radiographs, _ in track(loader, "predicting", total=len(loader)):
            logits = network(radiographs.to(device)).logits
            rows.append(logits.double().softmax(dim=1).cpu().numpy())
    return np.concatenate(rows)
