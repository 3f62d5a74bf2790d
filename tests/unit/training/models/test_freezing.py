"""Frozen layers keep their weights and their statistics."""

import pytest
import torch
from torch import nn

from training.errors import RecipeError
from training.models.backbones import BackboneConfig
from training.models.network import RadiographNetwork

LABELS = ("a", "b")


def network(frozen_through: str | None) -> RadiographNetwork:
    config = BackboneConfig(
        name="mobilenetv1_100", channels=1, image_size_px=32, frozen_through=frozen_through
    )
    return RadiographNetwork(config, LABELS)


def step(trained: RadiographNetwork) -> dict[str, torch.Tensor]:
    """Make one step of training and return the state before it."""
    before = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    parameters = [parameter for parameter in trained.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    images = torch.randint(0, 256, (4, 1, 64, 64), dtype=torch.uint8)
    loss = nn.functional.cross_entropy(trained.train()(images).logits, torch.tensor([0, 1, 0, 1]))
    torch.autograd.backward(loss)
    optimizer.step()
    return before


def changed(trained: RadiographNetwork, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, tensor in trained.state_dict().items() if not torch.equal(tensor, before[name])}


def test_all_leaves_only_the_head_to_train() -> None:
    trained = network("all")
    before = step(trained)
    assert changed(trained, before) == {"head.layers.0.weight", "head.layers.0.bias"}


def test_layers_up_to_the_named_one_are_kept() -> None:
    trained = network("blocks.1")
    before = step(trained)
    moved = changed(trained, before)
    kept = set(before) - moved
    assert any("blocks.1.1." in name for name in kept)
    assert not any(part in name for name in moved for part in ("conv_stem", "blocks.0.", "blocks.1."))
    assert any("blocks.2.0." in name for name in moved)


def test_null_trains_everything() -> None:
    assert all(parameter.requires_grad for parameter in network(None).parameters())


def test_an_unknown_layer_names_those_there_are() -> None:
    with pytest.raises(RecipeError, match=r"frozen_through: the network has no layer 'blocks\.9'.*blocks\.0"):
        network("blocks.9")


def test_a_vgg_holds_no_dense_layers_that_nothing_uses() -> None:
    config = BackboneConfig(name="vgg11", image_size_px=32)
    weights = sum(parameter.numel() for parameter in RadiographNetwork(config, LABELS).parameters())
    assert weights == 9_220_480 + 2 * 513, "VGG-11's convolutions (Simonyan and Zisserman 2015) and the head"
