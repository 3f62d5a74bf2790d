"""The filter and the classifier: one architecture, a backbone under a head that yields its own heat map."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.errors import WeightsError
from training.models.backbones import BackboneConfig, build_backbone


class NetworkOutput(NamedTuple):
    """What one forward pass gives."""

    logits: Tensor
    """(N, K) float32."""
    activation_map: Tensor
    """(N, K, h, w) float32: evidence for each class by position; its mean over h, w is the logit."""
    embedding: Tensor
    """(N, D) float32: the pooled feature map."""


class RadiographNetwork(nn.Module):
    """uint8 radiographs to logits, class activation maps and embeddings.

    A 1x1 convolution turns the feature map into one map per class, whose global average is the logit.
    Averaging commutes with the convolution, so this equals the pooled dense layer of ICA-PUC (arXiv
    2009.01657, section 3.2) and its maps are the class activation maps of Zhou et al. (2016), eq. 2.
    Not for clinical use.
    """

    def __init__(self, config: BackboneConfig, labels: tuple[str, ...], *, weights: str = "none") -> None:
        super().__init__()
        self.config = config
        self.labels = labels
        self.backbone = build_backbone(config, weights)
        self.head = nn.Conv2d(self.backbone.features, len(labels), kernel_size=1)

    def preprocess(self, radiographs: Tensor, image_size_px: int | None = None) -> Tensor:
        """Resize, scale to [0, 1], normalise and repeat channels: (N, 1, H, W) uint8 to float32."""
        size = image_size_px or self.config.image_size_px
        images = radiographs.float()
        if images.shape[-1] != size:
            images = functional.interpolate(images, (size, size), mode="bilinear", align_corners=False)
        images = (images / 255 - self.config.mean) / self.config.std
        return images.expand(-1, self.config.channels, -1, -1)

    def forward(self, radiographs: Tensor, image_size_px: int | None = None) -> NetworkOutput:
        """Return logits, activation maps and embeddings of (N, 1, H, W) uint8 radiographs."""
        images = self.preprocess(radiographs, image_size_px).contiguous(memory_format=torch.channels_last)
        feature_map = self.backbone(images)
        activation_map = self.head(feature_map)
        return NetworkOutput(activation_map.mean(dim=(2, 3)), activation_map, feature_map.mean(dim=(2, 3)))

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
