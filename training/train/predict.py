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


def predict_probabilities(
    network: RadiographNetwork,
    table: SampleTable,
    cache: RadiographCache,
    *,
    device: str = "cpu",
    batch_size: int = 32,
) -> NDArray[np.float64]:
    """Return (N, K) probabilities of the table's samples, in its order, in full precision."""
    loader: DataLoader[Any] = DataLoader(RadiographSamples(table, cache), batch_size=batch_size)
    network = network.to(device).eval()
    rows: list[NDArray[np.float64]] = []
    with torch.inference_mode():
        for radiographs, _ in track(loader, "predicting", total=len(loader)):
            logits = network(radiographs.to(device)).logits
            rows.append(logits.double().softmax(dim=1).cpu().numpy())
    return np.concatenate(rows)
