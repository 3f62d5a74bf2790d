"""How alike two heat maps are, and the mean of such numbers over images with its interval."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import sem, spearmanr, t
from torch.nn import functional
from torchmetrics.functional.image import structural_similarity_index_measure

Maps = NDArray[np.float32] | NDArray[np.float64]
Values = NDArray[np.float64]

SSIM_SIZE_PX = 64
"""Side that maps are enlarged to before their structure is compared: SSIM's window is 11 pixels wide."""

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over images with its 95 % interval."""

    value: float | None
    """None where no image has the number."""
    lower: float | None
    """None with fewer than two images."""
    upper: float | None
    """None with fewer than two images."""
    n: int
    """Images that have the number."""

    def __str__(self) -> str:
        """Return the value and its interval to two decimals, as `0.21 (0.14-0.28)`."""
        if self.value is None:
            return "not defined"
        if self.lower is None or self.upper is None:
            return f"{self.value:.2f}"
        return f"{self.value:.2f} ({self.lower:.2f} to {self.upper:.2f})"


def mean_of(values: Values, *, low: float, high: float) -> Mean:
    """Return the mean of (N,) values with Student's t interval, kept within the values' own range.

    Args:
        values: one per image, the images independent of each other (of different patients); NaN: none.
        low: smallest value that there can be.
        high: largest.
    """
    values = values[~np.isnan(values)]
    if not len(values):
        return Mean(None, None, None, 0)
    mean = float(values.mean())
    if len(values) < 2:
        return Mean(mean, None, None, 1)
    if np.ptp(values) == 0:
        return Mean(mean, mean, mean, len(values))
    lower, upper = t.interval(CONFIDENCE, len(values) - 1, loc=mean, scale=sem(values))
    return Mean(mean, max(low, float(lower)), min(high, float(upper)), len(values))


def rank_correlations(first: Maps, second: Maps) -> Values:
    """Return Spearman's rank correlation of each pair of maps, (N,) in [-1, 1].

    Maps of different resolution are both averaged onto the coarser grid. A constant map ranks nothing:
    its correlation is 0.
    """
    grid = min(first.shape[1], second.shape[1]), min(first.shape[2], second.shape[2])
    pairs = zip(_averaged(first, grid), _averaged(second, grid), strict=True)
    return np.array([_rank_correlation(one.ravel(), other.ravel()) for one, other in pairs])


def structural_similarities(first: Maps, second: Maps) -> Values:
    """Return the SSIM (Wang et al. 2004) of each pair of maps, (N,), each map scaled to its own range."""
    similarity = structural_similarity_index_measure(
        _scaled(first), _scaled(second), data_range=1.0, reduction="none"
    )
    assert isinstance(similarity, torch.Tensor)
    values: Values = similarity.double().numpy()
    return values


def _rank_correlation(one: Values, other: Values) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(spearmanr(one, other).statistic)


def _averaged(maps: Maps, grid: tuple[int, int]) -> Values:
    """Return (N, h, w) maps averaged onto a grid of at most their own resolution."""
    pooled = functional.adaptive_avg_pool2d(torch.from_numpy(np.ascontiguousarray(maps)).double(), grid)
    values: Values = pooled.numpy()
    return values


def _scaled(maps: Maps) -> torch.Tensor:
    """Return (N, 1, 64, 64) float64 maps from 0 to 1; a constant map is 0 everywhere."""
    tensor = torch.from_numpy(np.ascontiguousarray(maps)).double()[:, None]
    enlarged = functional.interpolate(tensor, (SSIM_SIZE_PX, SSIM_SIZE_PX), mode="bilinear")
    enlarged -= enlarged.amin(dim=(2, 3), keepdim=True)
    largest = enlarged.amax(dim=(2, 3), keepdim=True)
    return enlarged / torch.where(largest > 0, largest, 1)
