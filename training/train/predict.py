"""Runs a network over a table of samples."""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class NetworkAnswers:
    """What a network says of N samples, in the order of their table."""

    logits: NDArray[np.float64]
    """(N, K), before the softmax and before any temperature."""
    embeddings: NDArray[np.float32]
    """(N, D), the pooled features."""


def predict(network: RadiographNetwork, table: SampleTable, cache: RadiographCache) -> NetworkAnswers:
    """Return what the network says of the table's samples; on a GPU where there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    loader: DataLoader[Any] = DataLoader(RadiographSamples(table, cache), batch_size=BATCH_SIZE)
    network = network.to(device).eval()
    logits: list[NDArray[np.float64]] = []
    embeddings: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for radiographs, _ in track(loader, "predicting", total=len(loader)):
            output = network(radiographs.to(device))
            logits.append(output.logits.double().cpu().numpy())
            embeddings.append(output.embedding.float().cpu().numpy())
    return NetworkAnswers(np.concatenate(logits), np.concatenate(embeddings))
