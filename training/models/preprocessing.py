"""What happens to radiographs inside the graph, before the network: the same in training and serving."""

import torch
from torch import Tensor
from torch.nn import functional

LEVELS = 256
"""Gray levels of a radiograph."""


def equalize_histograms(radiographs: Tensor) -> Tensor:
    """Spread each radiograph's gray levels evenly: (N, 1, H, W) uint8 to float32 in [0, 255].

    level' = round(255 (cdf(level) - cdf_min) / (H W - cdf_min)), cdf counting pixels up to a level and
    cdf_min those of the darkest (Gonzalez and Woods 2008, section 3.3.1; OpenCV's `equalizeHist`). The
    black around a letterboxed radiograph is its darkest level and stays black.
    """
    levels = radiographs.flatten(1).long()
    pixels = levels.shape[1]
    counts = torch.zeros(levels.shape[0], LEVELS, device=levels.device)
    counts = counts.scatter_add(1, levels, torch.ones_like(levels, dtype=torch.float32))
    cumulative = counts.cumsum(dim=1)
    lowest = cumulative.masked_fill(counts == 0, float(pixels)).amin(dim=1, keepdim=True)
    table = ((cumulative - lowest) * 255 / (pixels - lowest).clamp(min=1)).round().clamp(min=0)
    return table.gather(1, levels).reshape(radiographs.shape)


def fit_canvas(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Scale square images (N, 1, S, S) float32 into the middle of a black (height, width) canvas.

    Nothing is distorted: the square takes the canvas's shorter side, as Apostolopoulos and Mpesiana
    (2020, "Dataset of the study") do for images of another ratio.
    """
    height, width = size
    side = min(size)
    if images.shape[-1] != side:
        images = functional.interpolate(images, (side, side), mode="bilinear", align_corners=False)
    if height == width:
        return images
    left, top = (width - side) // 2, (height - side) // 2
    return functional.pad(images, (left, width - side - left, top, height - side - top))
