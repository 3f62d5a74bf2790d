"""Networks whose evidence is known, and radiographs to show them."""

import numpy as np
from numpy.typing import NDArray
from torch import nn

from training.models.backbones import Backbone, BackboneConfig
from training.models.head import Head, HeadConfig
from training.models.network import RadiographNetwork

CELL_PX = 32
"""Side of one cell of the bright-square network's map, in pixels of the radiograph: 8x8 cells in all."""

LABELS = ("dark", "bright")


def small_network(
    labels: tuple[str, ...] = ("a", "b", "c"), head: HeadConfig | None = None, **backbone: object
) -> RadiographNetwork:
    """Return an untrained convolutional network with an 8x8 map, for radiographs shrunk to 32 px."""
    options = {"name": "mobilenetv1_100", "cut_after": "blocks.1", "channels": 1, "image_size_px": 32}
    return RadiographNetwork(BackboneConfig.model_validate(options | backbone), labels, head).eval()


def bright_square_network() -> RadiographNetwork:
    """Return a network that says `bright` where a good part of a cell is white, and `dark` otherwise.

    Its one feature is the brightness above the middle gray, averaged over each cell of an 8x8 grid. The
    logits are 0 (dark) and 1280 x the mean of the cells - 5 (bright): 15 with one white cell, 0 with a
    quarter of one.
    """
    network = small_network(LABELS)
    identity = nn.Conv2d(1, 1, kernel_size=1, bias=False)
    nn.init.ones_(identity.weight)
    network.backbone = Backbone(nn.Sequential(identity, nn.ReLU(), nn.AvgPool2d(4)), features=1)
    network.head = Head(HeadConfig(), features=1, classes=2)
    last = network.head.layers[-1]
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    last.weight.data[1] = 1280.0
    last.bias.data[1] = -5.0
    return network.eval()


def radiograph_with_square(row: int, column: int) -> NDArray[np.uint8]:
    """Return a (256, 256) dark gray radiograph with one white cell of the 8x8 grid."""
    radiograph = np.full((256, 256), 60, np.uint8)
    top, left = CELL_PX * row, CELL_PX * column
    radiograph[top : top + CELL_PX, left : left + CELL_PX] = 255
    return radiograph


def noise_radiographs(n: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return (n, 256, 256) smooth random radiographs, no two alike."""
    coarse = np.random.default_rng(seed).integers(0, 256, (n, 16, 16), dtype=np.uint8)
    return coarse.repeat(16, axis=1).repeat(16, axis=2)
