"""Feature extractors: a timm network without its head, optionally cut after a layer or partly frozen."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Self

import timm
import torch
import torchvision
from pydantic import Field
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from typing_extensions import override

from hilum.files import sha256_file
from training.config import Section
from training.errors import RecipeError, WeightsError

SQUEEZENETS = ("squeezenet1_0", "squeezenet1_1")
"""Networks that torchvision has and timm lacks."""

Side = Annotated[int, Field(ge=32, le=512)]
"""A length in pixels."""


class BackboneConfig(Section):
    """Which network extracts the features, and what it is fed."""

    name: str
    """timm's name of the network, for example `densenet121`; or `squeezenet1_0` or `squeezenet1_1`, which
    timm lacks and torchvision has."""
    cut_after: str | None = None
    """Last layer to keep, as a path inside timm's network (`features.transition3.norm`); null keeps all."""
    frozen_through: str | None = None
    """Last layer whose weights stay as they start, as a path inside the network: it and all layers that the
    network lists before it; `all` trains the head only; null trains everything."""
    frozen_except: tuple[str, ...] = ()
    """Layers that are trained although the network lists them up to `frozen_through`."""
    channels: int = Field(default=3, ge=1, le=3)
    """Copies of the gray channel that the network is fed: 1, or 3 for networks made for colour."""
    equalize_histogram: bool = False
    """Spread the gray levels of each radiograph evenly first."""
    image_size_px: Side | tuple[Side, Side] = 224
    """Side of the square that the radiograph is resized to, in pixels; or height and width of a black canvas
    in whose middle it stands."""
    mean: float = 0.5
    """Subtracted after scaling to [0, 1]."""
    std: float = Field(default=0.5, gt=0)
    """Divided by after subtracting the mean."""

    @property
    def canvas_px(self) -> tuple[int, int]:
        """Height and width of what the network is fed, in pixels."""
        size = self.image_size_px
        return (size, size) if isinstance(size, int) else size

    @property
    def radiograph_px(self) -> int:
        """Side of the radiograph within the canvas, in pixels."""
        return min(self.canvas_px)


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

    @override
    def train(self, mode: bool = True) -> Self:
        """Switch to training, all but the batch normalisation of frozen layers, as Keras does."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm) and not module.weight.requires_grad:
                module.eval()
        return self


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
    network = _create_squeezenet(config, weights) if config.name in SQUEEZENETS else _create(config, weights)
    _freeze(network, config.frozen_through)
    _train_all_the_same(network, config.frozen_except)
    layers = _cut(network, config.cut_after) if config.cut_after else _whole(network)
    layers.eval()
    with torch.no_grad():
        features = layers(torch.zeros(1, config.channels, *config.canvas_px)).shape[1]
    return Backbone(layers, int(features)).train()


def _create(config: BackboneConfig, weights: str) -> nn.Module:
    """Return timm's network without classifier, with the weights asked for."""
    if not timm.is_model(config.name):
        near = ", ".join(timm.list_models(f"*{config.name[:6]}*")[:8]) or "none"
        raise RecipeError(f"timm has no network {config.name!r}. Similar names: {near}.")
    create: Callable[..., nn.Module] = timm.create_model
    options: dict[str, Any] = {"in_chans": config.channels, "num_classes": 0}
    if weights == "none":
        return create(config.name, **options)
    if weights == "imagenet":
        try:
            return create(config.name, pretrained=True, **options)
        except Exception as error:  # timm's hub raises what its HTTP client raises
            raise _not_downloaded(
                config.name, f"import timm, torch; timm.create_model('{config.name}', pretrained=True)", error
            ) from error
    path = _weights_file(weights)
    try:
        state = timm.models.load_state_dict(str(path), weights_only=True)
        missing = sorted(set(create(config.name, **options).state_dict()) - set(state))
        if missing:  # timm itself would load what fits and leave the rest random
            raise KeyError(f"{len(missing)} of its tensors are not there, among them {missing[0]}")
        return create(config.name, pretrained=True, pretrained_cfg_overlay={"file": str(path)}, **options)
    except Exception as error:  # a foreign pickle, other keys, other shapes: all mean the same to the caller
        raise _other_weights(path, f"timm's {config.name}", error) from error


def _create_squeezenet(config: BackboneConfig, weights: str) -> nn.Module:
    """Return torchvision's SqueezeNet, with the weights asked for."""
    if config.channels != 3:
        raise RecipeError(f"{config.name} is fed 3 channels; the recipe says channels: {config.channels}.")
    build: Callable[..., nn.Module] = getattr(torchvision.models, config.name)
    if weights == "imagenet":
        try:
            return build(weights="IMAGENET1K_V1")
        except Exception as error:  # torch's hub raises what its HTTP client raises
            raise _not_downloaded(
                config.name, f"import torchvision, torch; torchvision.models.{config.name}('DEFAULT')", error
            ) from error
    network = build()
    if weights != "none":
        path = _weights_file(weights)
        try:
            network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except Exception as error:  # as above
            raise _other_weights(path, f"torchvision's {config.name}", error) from error
    return network


def weights_digest(weights: str) -> str:
    """Return what tells weights of one name apart: the SHA-256 of a file, else the name itself."""
    path = Path(weights)
    return sha256_file(path) if weights not in ("none", "imagenet") and path.is_file() else weights


def _weights_file(weights: str) -> Path:
    path = Path(weights)
    if not path.is_file():
        raise WeightsError(f"--weights must be `imagenet`, `none` or a file; found no file {weights}.")
    return path


def _not_downloaded(name: str, expression: str, error: Exception) -> WeightsError:
    *imports, build = expression.split("; ")
    code = "; ".join([*imports, f"torch.save({build}.state_dict(), '{name}.pt')"])
    return WeightsError(
        f"ImageNet weights of {name} could not be downloaded ({type(error).__name__}). On a machine with a "
        f'network, save them with `python -c "{code}"`, copy the file here, and pass --weights {name}.pt; '
        "or train from scratch with --weights none."
    )


def _other_weights(path: Path, network: str, error: Exception) -> WeightsError:
    return WeightsError(
        f"{path} does not hold the weights of {network}: {str(error)[:300]}. "
        "Pass a state dict of that network, or change the recipe's backbone."
    )


def _freeze(network: nn.Module, last: str | None) -> None:
    """Keep the weights of `last` and of all layers that the network lists before it, or of `all`."""
    if last is None:
        return
    layers = {name: module for name, module in network.named_modules() if name}
    if last != "all" and last not in layers:
        near = ", ".join(name for name in layers if name.startswith(last.split(".")[0])) or ", ".join(layers)
        raise RecipeError(f"frozen_through: the network has no layer {last!r}; there are {near[:600]}.")
    reached = False
    for name, module in layers.items():
        inside = name == last or name.startswith(f"{last}.")
        if reached and not inside:
            return
        reached |= inside
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(requires_grad=False)


def _train_all_the_same(network: nn.Module, names: tuple[str, ...]) -> None:
    """Let the weights of the named layers move again."""
    layers = dict(network.named_modules())
    for name in names:
        if name not in layers:
            raise RecipeError(f"frozen_except: the network has no layer {name!r}.")
        layers[name].requires_grad_(requires_grad=True)


def _whole(network: nn.Module) -> nn.Module:
    """Return all of a network's feature layers, and none of the layers that only its own head uses."""
    if isinstance(network, torchvision.models.SqueezeNet):
        features = network.features
        assert isinstance(features, nn.Module)
        return features
    if hasattr(network, "pre_logits"):  # VGG's dense layers: 120 million weights that nothing would use
        network.pre_logits = nn.Identity()
    return _FeatureMap(network)


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
