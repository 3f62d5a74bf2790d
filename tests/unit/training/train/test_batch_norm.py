"""Shared batch normalisation, against torch's own; over two processes in `integration/test_distributed`."""

from collections.abc import Iterator

import pytest
import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, distributed, nn

from training.models.backbones import BackboneConfig
from training.models.network import RadiographNetwork
from training.train.batch_norm import SharedBatchNorm, share_batch_norm
from training.train.distributed import leave


@pytest.fixture(autouse=True, scope="module")
def group_of_one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    store = tmp_path_factory.mktemp("group") / "store"
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=0, world_size=1)
    yield
    leave()


def answers(layer: nn.Module, images: Tensor) -> list[Tensor]:
    """Return a layer's output while training, its gradients, its buffers, and its output afterwards."""
    images = images.clone().requires_grad_()
    output = layer.train()(images)
    (output * torch.linspace(-1, 1, output.numel()).view_as(output)).sum().backward()
    assert images.grad is not None
    gradients = [parameter.grad for parameter in layer.parameters() if parameter.grad is not None]
    return [output, images.grad, *gradients, *layer.buffers(), layer.eval()(images)]


@pytest.mark.parametrize("layer_type", [nn.BatchNorm2d, BatchNormAct2d])
def test_it_gives_what_torch_gives(layer_type: type[nn.BatchNorm2d]) -> None:
    torch.manual_seed(0)
    images = 5 * torch.randn(6, 3, 5, 4) + 2
    layer, own = layer_type(3, eps=1e-3, momentum=0.2), layer_type(3, eps=1e-3, momentum=0.2)
    for expected, found in zip(answers(layer, images), answers(SharedBatchNorm(own), images), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_converted_network_keeps_its_names_and_answers() -> None:
    network = RadiographNetwork(
        BackboneConfig(name="efficientnet_b0", cut_after="blocks.1", channels=1, image_size_px=32), ("a", "b")
    ).eval()
    images = torch.randint(0, 256, (2, 1, 256, 256), dtype=torch.uint8)
    names, logits = list(network.state_dict()), network(images).logits
    share_batch_norm(network, on_gpu=False)
    left = [module for module in network.modules() if type(module) in (nn.BatchNorm2d, BatchNormAct2d)]
    assert not left
    assert any(isinstance(module, SharedBatchNorm) for module in network.modules())
    assert list(network.state_dict()) == names
    torch.testing.assert_close(network(images).logits, logits)


def test_on_gpus_it_is_torchs_own_and_keeps_timms_activations() -> None:
    layers = nn.Sequential(nn.Conv2d(1, 4, 3), BatchNormAct2d(4), nn.BatchNorm2d(4))
    layers.eval()
    images = torch.randn(2, 1, 8, 8)
    expected = layers(images)
    share_batch_norm(layers, on_gpu=True)
    assert isinstance(layers[1], nn.SyncBatchNorm)
    assert isinstance(layers[2], nn.SyncBatchNorm)
    torch.testing.assert_close(layers(images), expected)
