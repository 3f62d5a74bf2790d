"""The filter and the classifier: one architecture, a backbone under a head that yields its own heat map."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.errors import WeightsError
from training.models.backbones import BackboneConfig, build_backbone
from training.models.head import Head, HeadConfig
from training.models.preprocessing import equalize_histograms, fit_canvas


class NetworkOutput(NamedTuple):
    """What one forward pass gives."""

    logits: Tensor
    """(N, K) float32."""
    activation_map: Tensor
    """(N, K, h, w) float32: evidence for each class by position."""
    embedding: Tensor
    """(N, D) float32: the pooled feature map."""


class RadiographNetwork(nn.Module):
    """uint8 radiographs to logits, class activation maps and embeddings.

    A backbone under a head (see `training.models.head`); with the default head it equals the pooled
    dense layer of ICA-PUC (arXiv 2009.01657, section 3.2). Not for clinical use.
    """

    def __init__(
        self,
        config: BackboneConfig,
        labels: tuple[str, ...],
        head: HeadConfig | None = None,
        *,
        weights: str = "none",
    ) -> None:
        """Build the network.

        Args:
            config: the backbone, and what it is fed.
            labels: names of the K classes, in the order of the logits.
            head: the layers above the backbone; None for one linear layer.
            weights: of the backbone at the start: `none`, `imagenet` or a file.
        """
        super().__init__()
        self.config = config
        self.labels = labels
        self.head_config = head or HeadConfig()
        self.backbone = build_backbone(config, weights)
        self.head = Head(self.head_config, self.backbone.features, len(labels))

    def preprocess(self, radiographs: Tensor, image_size_px: int | None = None) -> Tensor:
        """Equalise where configured, fit the canvas, scale to [0, 1], normalise, repeat channels.

        (N, 1, S, S) uint8 to (N, channels, height, width) float32.
        """
        size = (image_size_px, image_size_px) if image_size_px else self.config.canvas_px
        equalized = self.config.equalize_histogram
        images = equalize_histograms(radiographs) if equalized else radiographs.float()
        images = (fit_canvas(images, size) / 255 - self.config.mean) / self.config.std
        return images.expand(-1, self.config.channels, -1, -1)

    def forward(self, radiographs: Tensor, image_size_px: int | None = None) -> NetworkOutput:
        """Return logits, activation maps and embeddings of (N, 1, S, S) uint8 radiographs."""
        images = self.preprocess(radiographs, image_size_px).contiguous(memory_format=torch.channels_last)
        feature_map = self.backbone(images)
        logits, activation_map = self.head(feature_map)
        return NetworkOutput(logits, activation_map, feature_map.mean(dim=(2, 3)))

    def load_weights(self, state: dict[str, Tensor], origin: str) -> None:
        """Load a state dict saved from the same architecture.

        Raises:
            WeightsError: names or shapes differ; the message says which.
        """
        try:
            self.load_state_dict(state)
        except RuntimeError as error:
            raise WeightsError(
                f"{origin} belongs to another architecture than {self.config.name} with "
                f"{len(self.labels)} classes: {str(error).splitlines()[1].strip()[:300]}"
            ) from error
