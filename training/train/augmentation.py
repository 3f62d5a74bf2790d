"""Random changes to training images, so that a network learns lungs and not how a source exports them."""

import torch
from pydantic import Field
from torch import Tensor, nn
from torchvision.transforms import v2

from training.config import Section

TOP_SHARE = (1 / 6, 1 / 4)
"""Share of the height that an occluded top covers, least and most (ICA-PUC's published code)."""


class AugmentationConfig(Section):
    """Which random changes are made, and how strong; the defaults make none."""

    crop_area: tuple[float, float] = (1.0, 1.0)
    """Share of the area that a random crop keeps, least and most."""
    crop_aspect: tuple[float, float] = (1.0, 1.0)
    """Width over height of a random crop, least and most."""
    rotation_deg: float = Field(default=0.0, ge=0, le=45)
    """Largest rotation to either side, in degrees; larger ones would make another class of image."""
    brightness: float = Field(default=0.0, ge=0, lt=1)
    """Largest relative change of brightness."""
    contrast: float = Field(default=0.0, ge=0, lt=1)
    """Largest relative change of contrast."""
    horizontal_flip: float = Field(default=0.0, ge=0, le=1)
    """Probability of mirroring left and right."""
    top_occlusion: float = Field(default=0.0, ge=0, le=1)
    """Probability of blacking out the top, where letters are burnt in."""
    blur: float = Field(default=0.0, ge=0, le=1)
    """Probability of a Gaussian blur, so that sharpness does not tell the source."""
    distortion: float = Field(default=0.0, ge=0, le=1)
    """Probability of a small elastic distortion, by some 2 % of the side."""


class OccludeTop(nn.Module):
    """Blacks out the top of an image, a sixth to a quarter of its height."""

    def forward(self, image: Tensor) -> Tensor:
        """Return (1, H, W) uint8 with its top rows set to zero."""
        least, most = (round(share * image.shape[-2]) for share in TOP_SHARE)
        rows = int(torch.randint(least, most + 1, ()))
        occluded = image.clone()
        occluded[..., :rows, :] = 0
        return occluded


def build_augmentation(config: AugmentationConfig, image_size_px: int) -> v2.Compose:
    """Return the transform from a (1, 256, 256) uint8 radiograph to (1, image_size_px, image_size_px)."""
    steps: list[nn.Module] = [
        v2.RandomResizedCrop(image_size_px, config.crop_area, config.crop_aspect, antialias=True)
    ]
    if config.rotation_deg:
        bilinear = v2.InterpolationMode.BILINEAR
        steps.append(v2.RandomRotation([-config.rotation_deg, config.rotation_deg], interpolation=bilinear))
    if config.brightness or config.contrast:
        steps.append(v2.ColorJitter(config.brightness, config.contrast))
    if config.horizontal_flip:
        steps.append(v2.RandomHorizontalFlip(config.horizontal_flip))
    if config.blur:
        steps.append(v2.RandomApply([v2.GaussianBlur(5, sigma=(0.3, 1.5))], config.blur))
    if config.distortion:
        # Pixels move by some 2 % of the side: alpha scales a field of noise that sigma smooths to a third.
        elastic = v2.ElasticTransform(alpha=image_size_px / 5, sigma=image_size_px / 28)
        steps.append(v2.RandomApply([elastic], config.distortion))
    if config.top_occlusion:
        steps.append(v2.RandomApply([OccludeTop()], config.top_occlusion))
    return v2.Compose(steps)
