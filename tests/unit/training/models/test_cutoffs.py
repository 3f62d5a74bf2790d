"""Layer cut-offs in Keras's numbering, against its published architectures, and what they freeze here.

The lists below are `model.layers` of keras-applications 1.0.8 without the top, the library of March 2020.
Their lengths and parameter counts are those that Keras prints, which ties timm's networks to Keras's.
"""

from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import nn

from training.errors import RecipeError
from training.models.backbones import Backbone, BackboneConfig, build_backbone
from training.models.network import RadiographNetwork
from training.train.family import load_recipe, recipe_names
from training.train.recipe import NetworkRecipe


def keras_vgg19() -> list[str]:
    layers = ["input"]
    for block, convolutions in enumerate((2, 2, 4, 4, 4), start=1):
        layers += [f"block{block}_conv{number}" for number in range(1, convolutions + 1)]
        layers.append(f"block{block}_pool")
    return layers


def keras_mobilenet_v2() -> list[str]:
    layers = ["input", "Conv1_pad", "Conv1", "bn_Conv1", "Conv1_relu"]
    after_expansion = ["depthwise", "depthwise_BN", "depthwise_relu", "project", "project_BN"]
    layers += [f"expanded_conv_{name}" for name in after_expansion]
    halving, widening = {1, 3, 6, 13}, {10, 16}
    for block in range(1, 17):
        names = ["expand", "expand_BN", "expand_relu", *(["pad"] if block in halving else [])]
        names += after_expansion + ([] if block in halving | widening else ["add"])
        layers += [f"block_{block}_{name}" for name in names]
    return [*layers, "Conv_1", "Conv_1_bn", "out_relu"]


def keras_inception_v3() -> list[str]:
    """By block: a convolution is three layers, and a block adds its pooling and concatenations."""
    blocks = {"stem": 1 + 3 * 5 + 2}
    blocks |= {f"mixed{number}": 3 * 7 + 2 for number in range(3)}
    blocks |= {"mixed3": 3 * 4 + 2}
    blocks |= {f"mixed{number}": 3 * 10 + 2 for number in range(4, 8)}
    blocks |= {"mixed8": 3 * 6 + 2}
    blocks |= {f"mixed{number}": 3 * 9 + 4 for number in (9, 10)}
    return [name for name, layers in blocks.items() for _ in range(layers)]


def keras_xception() -> list[str]:
    layers = ["input"]
    for number in (1, 2):
        layers += [f"block1_conv{number}{part}" for part in ("", "_bn", "_act")]
    for block in range(2, 14):
        units = 3 if 5 <= block <= 12 else 2
        parts = [f"sepconv{unit}{part}" for unit in range(1, units + 1) for part in ("_act", "", "_bn")]
        layers += [f"block{block}_{part}" for part in (parts[1:] if block == 2 else parts)]
        if units == 2:
            layers += [f"block{block}_{part}" for part in ("shortcut", "pool", "shortcut_bn")]
        layers.append(f"block{block}_add")
    return layers + [f"block14_sepconv{unit}{part}" for unit in (1, 2) for part in ("", "_bn", "_act")]


def keras_inception_resnet_v2() -> list[str]:
    """By block, as `keras_inception_v3`; a residual block adds concatenation, projection, sum, activation."""
    blocks = {"stem": 1 + 3 * 5 + 2, "mixed_5b": 3 * 7 + 2}
    blocks |= {f"block35_{number}": 3 * 6 + 4 for number in range(1, 11)}
    blocks |= {"mixed_6a": 3 * 4 + 2}
    blocks |= {f"block17_{number}": 3 * 4 + 4 for number in range(1, 21)}
    blocks |= {"mixed_7a": 3 * 7 + 2}
    blocks |= {f"block8_{number}": 3 * 4 + 4 for number in range(1, 10)}
    blocks |= {"block8_10": 3 * 4 + 3, "conv_7b": 3}
    return [name for name, layers in blocks.items() for _ in range(layers)]


CUTS = {
    "vgg19": (keras_vgg19, 22, 18, "block5_conv1", "block5_conv2"),
    "mobilenetv2": (keras_mobilenet_v2, 155, 10, "expanded_conv_project_BN", "block_1_expand"),
    "inception": (keras_inception_v3, 311, 249, "mixed8", "mixed9"),
    "xception": (keras_xception, 132, 120, "block13_sepconv2_act", "block13_sepconv2"),
    "inception_resnet_v2": (keras_inception_resnet_v2, 780, 730, "block8_7", "block8_8"),
}
"""By variant: Keras's layers, how many there are, the paper's cut-off, the layers before and after it."""


@pytest.mark.parametrize("variant", CUTS)
def test_the_papers_count_ends_where_the_docs_say(variant: str) -> None:
    list_layers, total, cutoff, last_frozen, first_trained = CUTS[variant]
    layers = list_layers()
    assert len(layers) == total
    assert (layers[cutoff - 1], layers[cutoff]) == (last_frozen, first_trained)


def test_the_shortcut_of_xceptions_block_13_comes_after_the_cut() -> None:
    assert keras_xception().index("block13_shortcut") >= 120


@cache
def backbone(name: str) -> Backbone:
    """Return a recipe's backbone without memory for its weights: names, shapes and freezing are there."""
    return meta_network(name).backbone


@cache
def meta_network(name: str) -> RadiographNetwork:
    recipe = classifier(name)
    labels = tuple(recipe.classes or ("no_finding", "lung_opacity", "covid19"))
    with torch.device("meta"):
        return RadiographNetwork(recipe.backbone, labels, recipe.head)


def classifier(name: str) -> NetworkRecipe:
    recipe = load_recipe(name).classifier
    assert recipe is not None
    return recipe


BOUNDARIES = {
    "vgg19": ("features.28", "features.30"),
    "mobilenetv2": ("blocks.0.0.bn2", "blocks.1.0.conv_pw"),
    "inception": ("Mixed_7a.branch7x7x3_4.bn", "Mixed_7b.branch1x1.conv"),
    "xception": ("block12.rep.2", "block12.rep.4.conv1"),
    "inception_resnet_v2": ("repeat_2.6.conv2d", "repeat_2.7.branch0.conv"),
}
"""timm's last layer with weights before the cut, and its first after it."""


@pytest.mark.parametrize("variant", BOUNDARIES)
def test_layers_at_the_cut_are_frozen_and_trained(variant: str) -> None:
    parameters = dict(backbone(f"apostolopoulos/{variant}").layers.named_parameters())
    last_frozen, first_trained = (f"network.{name}." for name in BOUNDARIES[variant])
    before = [parameter.requires_grad for name, parameter in parameters.items() if last_frozen in name]
    after = [parameter.requires_grad for name, parameter in parameters.items() if first_trained in name]
    assert before
    assert not any(before)
    assert after
    assert all(after)


TRAINED = {
    "vgg19": 3 * (3 * 3 * 512 * 512 + 512),
    "mobilenetv2": 2_223_872 - (864 + 64 + 288 + 64 + 512 + 32),
    "inception": 11_114_880,
    "xception": (9 * 728 + 728 * 1024) + 728 * 1024 + (9 * 1024 + 1024 * 1536) + (9 * 1536 + 1536 * 2048)
    + 2 * (1024 + 1024 + 1536 + 2048),
    "inception_resnet_v2": 3 * (2 * 2080 * 192 + 3 * 192 * 224 + 3 * 224 * 256 + 448 * 2080 + 2080 + 864)
    + 2080 * 1536 + 1536,
}  # fmt: skip
"""Weights that Keras trains above the cut, by hand from its layers; batch normalisation: see `unscaled`."""

UNSCALED = ("inception", "inception_resnet_v2")
"""Networks whose batch normalisation has no scale in Keras, and one in timm."""


def count(network: nn.Module, variant: str, *, trained_only: bool) -> int:
    """Count the weights that Keras has too."""
    scales = {
        id(module.weight)
        for module in network.modules()
        if variant in UNSCALED and isinstance(module, nn.BatchNorm2d)
    }
    counted = [p for p in network.parameters() if id(p) not in scales]
    return sum(p.numel() for p in counted if p.requires_grad or not trained_only)


@pytest.mark.parametrize("variant", TRAINED)
def test_as_many_weights_are_trained_as_in_keras(variant: str) -> None:
    assert count(backbone(f"apostolopoulos/{variant}"), variant, trained_only=True) == TRAINED[variant]


KERAS_TOTALS = {
    "apostolopoulos/vgg19": 20_024_384,
    "apostolopoulos/mobilenetv2": 2_257_984,
    "apostolopoulos/inception": 21_802_784,
    "apostolopoulos/xception": 20_861_480,
    "apostolopoulos/inception_resnet_v2": 54_336_736,
    "soares/resnet": 23_564_800 - 19_008,  # less the biases that Keras's ResNet50V2 has and timm's lacks
    "civit_masot/original": 14_714_688,
}
"""Parameters that Keras prints for its network without the top, running statistics included."""


@pytest.mark.parametrize("name", KERAS_TOTALS)
def test_the_network_is_the_one_that_keras_has(name: str) -> None:
    network = backbone(name)
    statistics = sum(
        buffer.numel() for key, buffer in network.named_buffers() if not key.endswith("num_batches_tracked")
    )
    counted = count(network, name.rpartition("/")[2], trained_only=False)
    assert counted + statistics == KERAS_TOTALS[name]


FROZEN_SHARES = {
    "vgg19": 0.646,
    "mobilenetv2": 0.001,
    "inception": 0.490,
    "xception": 0.700,
    "inception_resnet_v2": 0.829,
}


@pytest.mark.parametrize("variant", FROZEN_SHARES)
def test_share_of_the_backbone_that_stays(variant: str) -> None:
    parameters = list(backbone(f"apostolopoulos/{variant}").parameters())
    frozen = sum(parameter.numel() for parameter in parameters if not parameter.requires_grad)
    assert frozen / sum(p.numel() for p in parameters) == pytest.approx(FROZEN_SHARES[variant], abs=1e-3)


HEAD_ONLY = [name for name in recipe_names() if name.split("/")[0] in ("deepcovid", "soares", "civit_masot")]


@pytest.mark.parametrize("name", HEAD_ONLY)
def test_where_the_paper_trains_the_last_layers_nothing_else_moves(name: str) -> None:
    network = meta_network(name).train()
    assert not any(parameter.requires_grad for parameter in network.backbone.parameters())
    assert all(parameter.requires_grad for parameter in network.head.parameters())
    norms = [module for module in network.backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    assert not any(module.training for module in norms), "statistics of a frozen layer would drift"


SHAPES: dict[str, tuple[int, tuple[int, int]]] = {
    "icapuc": (1024, (14, 14)),
    "deepcovid/resnet18": (512, (7, 7)),
    "deepcovid/resnet50": (2048, (7, 7)),
    "deepcovid/squeezenet": (512, (13, 13)),
    "deepcovid/densenet121": (1024, (7, 7)),
    "soares/vgg16": (512, (7, 7)),
    "soares/xception": (2048, (8, 8)),
    "soares/resnet": (2048, (8, 8)),
    "apostolopoulos/vgg19": (512, (6, 8)),
    "apostolopoulos/mobilenetv2": (1280, (7, 9)),
    "apostolopoulos/inception": (2048, (4, 6)),
    "apostolopoulos/xception": (2048, (7, 9)),
    "apostolopoulos/inception_resnet_v2": (1536, (4, 6)),
    "civit_masot/equalized": (512, (7, 7)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_every_network_runs_on_its_canvas(name: str) -> None:
    network = meta_network(name).eval()
    features, map_size = SHAPES[name]
    classes = len(network.labels)
    output = network(torch.zeros(2, 1, 256, 256, dtype=torch.uint8, device="meta"))
    assert output.logits.shape == (2, classes)
    assert output.activation_map.shape == (2, classes, *map_size)
    assert output.embedding.shape == (2, features)


def build(change: Callable[[BackboneConfig], BackboneConfig]) -> Backbone:
    config = BackboneConfig(name="legacy_xception", frozen_through="block12.rep.3", image_size_px=96)
    with torch.device("meta"):
        return build_backbone(change(config), "none")


def test_layers_named_as_exceptions_are_trained() -> None:
    plain = build(lambda config: config)
    excepted = build(lambda config: config.model_copy(update={"frozen_except": ("block12.skip",)}))
    moved = {
        name
        for (name, now), before in zip(excepted.named_parameters(), plain.parameters(), strict=True)
        if now.requires_grad != before.requires_grad
    }
    assert moved == {"layers.network.block12.skip.weight"}


def test_an_exception_that_is_no_layer_is_named() -> None:
    with pytest.raises(RecipeError, match=r"frozen_except: the network has no layer 'block13'"):
        build(lambda config: config.model_copy(update={"frozen_except": ("block13",)}))
