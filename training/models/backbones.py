"""Feature extractors: a timm network without its head, optionally cut after an inner layer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
from pydantic import Field
from torch import Tensor, nn

from training.config import Section
from training.errors import RecipeError, WeightsError


class BackboneConfig(Section):
    """Which network extracts the features, and what it is fed."""

    name: str
    """timm's name of the network, for example `densenet121`."""
    cut_after: str | None = None
    """Last layer to keep, as a path inside timm's network (`features.transition3.norm`); null keeps all."""
    channels: int = Field(default=3, ge=1, le=3)
    """Copies of the gray channel that the network is fed: 1, or 3 for networks made for colour."""
    image_size_px: int = Field(default=224, ge=32, le=512)
    """Side of the square that the canonical radiograph is resized to, in pixels."""
    mean: float = 0.5
    """Subtracted after scaling to [0, 1]."""
    std: float = Field(default=0.5, gt=0)
    """Divided by after subtracting the mean."""


class Backbone(nn.Module):
    """(N, channels, H, W) float32 to a feature map (N, features, h, w)."""

    def __init__(self, layers: nn.Module, features: int) -> None:
        super().__init__()
        self.layers = layers
        self.features = features
        """Channels of the feature map."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the feature map of normalised images."""
        feature_map: Tensor = self.layers(images)
        return feature_map


def build_backbone(config: BackboneConfig, weights: str) -> Backbone:
    """Build the feature extractor, its weights random, ImageNet's, or from a file.

    Args:
        config: the network and its cut.
        weights: `none` (random), `imagenet` (timm's, downloaded on first use), or a file with a
            state dict of the uncut timm network (`.pt`, `.pth` or `.safetensors`).

    Raises:
        RecipeError: timm has no such network, or it has no such layer.
        WeightsError: the weights cannot be had or belong to another architecture.
    """
    if not timm.is_model(config.name):
        near = ", ".join(timm.list_models(f"*{config.name[:6]}*")[:8]) or "none"
        raise RecipeError(f"timm has no network {config.name!r}. Similar names: {near}.")
    network = _create(config, weights)
    layers = _cut(network, config.cut_after) if config.cut_after else _FeatureMap(network)
    layers.eval()
    with torch.no_grad():
        size = config.image_size_px
        features = layers(torch.zeros(1, config.channels, size, size)).shape[1]
    layers.train()
    return Backbone(layers, int(features))


def _create(config: BackboneConfig, weights: str) -> nn.Module:
    """Return timm's network without classifier, with the weights asked for."""
    create: Callable[..., nn.Module] = timm.create_model
    options: dict[str, Any] = {"in_chans": config.channels, "num_classes": 0}
    if weights == "none":
        return create(config.name, **options)
    if weights == "imagenet":
        try:
            return create(config.name, pretrained=True, **options)
        except Exception as error:  # timm's hub raises what its HTTP client raises
            raise WeightsError(
                f"ImageNet weights of {config.name} could not be downloaded ({type(error).__name__}). "
                f"On a machine with a network, save them with "
                f"`python -c \"import timm, torch; torch.save(timm.create_model('{config.name}', "
                f"pretrained=True).state_dict(), '{config.name}.pt')\"`, copy the file here, and pass "
                f"--weights {config.name}.pt; or train from scratch with --weights none."
            ) from error
    path = Path(weights)
    if not path.is_file():
        raise WeightsError(f"--weights must be `imagenet`, `none` or a file; found no file {weights}.")
    try:
        state = timm.models.load_state_dict(str(path), weights_only=True)
        missing = sorted(set(create(config.name, **options).state_dict()) - set(state))
        if missing:  # timm itself would load what fits and leave the rest random
            raise KeyError(f"{len(missing)} of its tensors are not there, among them {missing[0]}")
        return create(config.name, pretrained=True, pretrained_cfg_overlay={"file": str(path)}, **options)
    except Exception as error:  # a foreign pickle, other keys, other shapes: all mean the same to the caller
        raise WeightsError(
            f"{path} does not hold the weights of timm's {config.name}: {str(error)[:300]}. "
            f"Pass a state dict of that network, or change the recipe's backbone."
        ) from error


class _FeatureMap(nn.Module):
    """timm's `forward_features`, as a module."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        forward_features: Callable[[Tensor], Tensor] = self.network.forward_features  # type: ignore[assignment]  # every timm network has it
        return forward_features(images)


def _cut(network: nn.Module, last: str) -> nn.Sequential:
    """Return the chain of layers up to and including `last`, a dotted path.

    Each name on the path must belong to a chain of layers that run in their order, as the stages of
    DenseNet, VGG and MobileNet do.
    """
    kept: list[nn.Module] = []
    current = network
    for name in last.split("."):
        children = dict(current.named_children())
        if name not in children:
            raise RecipeError(f"cut_after: {last!r}: no layer {name!r}; there are {', '.join(children)}.")
        names = list(children)
        kept.extend(children[earlier] for earlier in names[: names.index(name)])
        current = children[name]
    kept.append(current)
    return nn.Sequential(*kept)
