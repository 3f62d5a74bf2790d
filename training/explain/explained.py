"""Radiographs with what a network decided about each, and where it found evidence for that."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.cache import RadiographCache
from training.data.samples import RadiographSamples, SampleTable
from training.explain.batches import logits_of, ready
from training.explain.decision import DecisionRule, Floats, Integers
from training.explain.methods import HeatMaps, Method, explain_images
from training.explain.occlusion import OcclusionConfig
from training.explain.pictures import overlay_picture
from training.explain.placement import FilmBoxes, border_share, film_boxes, on_canvas, outside_share
from training.models.network import RadiographNetwork


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedImages:
    """N radiographs, their decisions and their heat maps."""

    table: SampleTable
    """The N samples."""
    radiographs: NDArray[np.uint8]
    """(N, S, S) canonical radiographs, turned as the network saw them."""
    canvases: NDArray[np.uint8]
    """(N, H, W): the same in the proportions of the network's input, which heat maps cover."""
    decided: Integers
    """(N,) the reported class, which is the one explained."""
    probabilities: Floats
    """(N,) its probability."""
    heat: HeatMaps
    """The heat maps."""

    @property
    def boxes(self) -> FilmBoxes:
        """Where the film lies on each canvas."""
        return film_boxes(self.canvases)

    @property
    def border_shares(self) -> Floats:
        """(N,) share of each map's mass on the outer tenth of the canvas; NaN where there is none."""
        return border_share(self.heat.maps)

    @property
    def outside_shares(self) -> Floats:
        """(N,) share of each map's mass outside the film; NaN where there is none."""
        return outside_share(self.heat.maps, self.boxes)

    def picture(self, index: int, size_px: int) -> Image.Image:
        """Return one overlay, its longer side of `size_px`; for occlusion with the region that flips it."""
        occlusion = self.heat.occlusion
        region = None
        if occlusion is not None:
            height, width = self.canvases.shape[1:]
            region = on_canvas(occlusion.flips[index : index + 1] > 0, (height, width))[0]
        return overlay_picture(self.canvases[index], self.heat.maps[index], outlined=region, size_px=size_px)


def explain_table(
    network: RadiographNetwork,
    table: SampleTable,
    cache: RadiographCache,
    method: Method,
    *,
    rule: DecisionRule | None = None,
    occlusion: OcclusionConfig | None = None,
) -> ExplainedImages:
    """Return the heat maps of a table's samples for what the network decides about each.

    Args:
        network: it is put into evaluation mode, on a GPU where there is one.
        table: samples that are decoded already, one or more; all are held in memory.
        cache: where their radiographs are.
        method: how evidence is found.
        rule: how the network decides; None for the most probable class.
        occlusion: the square that covers; None for the default one.

    Raises:
        UsageError: the occluding square is larger than the radiographs.
    """
    rule = rule or DecisionRule()
    samples = RadiographSamples(table, cache)
    radiographs = np.stack([samples[index][0].numpy()[0] for index in range(len(samples))])
    logits = logits_of(ready(network), radiographs, "deciding")
    decided = rule.classes(logits)
    return ExplainedImages(
        table,
        radiographs,
        on_canvas(radiographs, network.config.canvas_px),
        decided,
        rule.probabilities(logits)[np.arange(len(decided)), decided],
        explain_images(network, radiographs, decided, method, occlusion=occlusion, rule=rule),
    )
