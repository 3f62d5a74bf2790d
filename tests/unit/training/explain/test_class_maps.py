"""CAM and Grad-CAM: against each other, against autograd, and on evidence that is known."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.support.evidence import (
    bright_square_network,
    noise_radiographs,
    radiograph_with_square,
    small_network,
)
from training.explain.batches import BATCH_SIZE
from training.explain.class_maps import class_activation_maps, grad_cam_maps
from training.models.head import HeadConfig

CLASSES = np.array([0, 1, 2])
MapsOf = Callable[..., NDArray[np.float32]]


def scaled(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = (bound(maps, axis=(1, 2), keepdims=True) for bound in (np.min, np.max))
    within: NDArray[np.float32] = (maps - low) / (high - low)
    return within


@pytest.mark.parametrize("backbone", ["mobilenetv1_100", "resnet10t"])
def test_grad_cam_is_the_activation_map_of_a_pooled_linear_head(backbone: str) -> None:
    """Selvaraju et al. 2017, appendix A: Grad-CAM generalises CAM; they differ by scale and bias."""
    cut = {"mobilenetv1_100": "blocks.1", "resnet10t": "layer1"}[backbone]
    network = small_network(name=backbone, cut_after=cut)
    radiographs = noise_radiographs(3)
    cam = class_activation_maps(network, radiographs, CLASSES)
    grad_cam = grad_cam_maps(network, radiographs, CLASSES)
    assert cam.shape == grad_cam.shape == (3, 8, 8)
    np.testing.assert_allclose(scaled(cam), scaled(grad_cam), atol=1e-4)


def test_grad_cam_under_hidden_layers_is_what_autograd_gives() -> None:
    network = small_network(head=HeadConfig(hidden=(16,)))
    radiographs = noise_radiographs(3)
    features = network.backbone(network.preprocess(torch.from_numpy(radiographs)[:, None])).detach()
    features.requires_grad_()
    logits, _ = network.head(features)
    logits[np.arange(3), CLASSES].sum().backward()
    assert features.grad is not None
    weights = features.grad.mean(dim=(2, 3), keepdim=True)
    expected = (weights * features).sum(dim=1).detach().numpy()
    np.testing.assert_allclose(grad_cam_maps(network, radiographs, CLASSES), expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("maps_of", [class_activation_maps, grad_cam_maps])
def test_the_evidence_is_where_it_was_put(maps_of: MapsOf) -> None:
    radiographs = np.stack([radiograph_with_square(1, 5), radiograph_with_square(6, 2)])
    maps = maps_of(bright_square_network(), radiographs, np.array([1, 1]))
    peaks = [np.unravel_index(one.argmax(), one.shape) for one in maps]
    assert peaks == [(1, 5), (6, 2)]
    maps = maps - maps.min()
    assert [np.count_nonzero(one) for one in maps] == [1, 1]


def test_a_frozen_backbone_has_the_same_grad_cam_and_stays_frozen() -> None:
    network = small_network()
    radiographs = noise_radiographs(2)
    expected = grad_cam_maps(network, radiographs, CLASSES[:2])
    network.requires_grad_(requires_grad=False)
    np.testing.assert_array_equal(grad_cam_maps(network, radiographs, CLASSES[:2]), expected)
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_grad_cam_leaves_no_trace_in_the_network() -> None:
    network = small_network()
    before = network(torch.from_numpy(noise_radiographs(1))[:, None]).logits
    grad_cam_maps(network, noise_radiographs(1), CLASSES[:1])
    assert all(parameter.grad is None for parameter in network.parameters())
    after = network(torch.from_numpy(noise_radiographs(1))[:, None]).logits
    after.sum().backward()
    assert next(network.backbone.parameters()).grad is not None, "gradients reach the backbone again"
    assert torch.equal(before, after)


def test_grad_cam_of_an_inner_layer_has_its_resolution() -> None:
    network = small_network()
    inner = network.backbone.get_submodule("layers").get_submodule("0")
    assert grad_cam_maps(network, noise_radiographs(2), CLASSES[:2], layer=inner).shape == (2, 16, 16)


@pytest.mark.parametrize("maps_of", [class_activation_maps, grad_cam_maps])
def test_an_image_is_explained_alike_alone_and_among_others(maps_of: MapsOf) -> None:
    network = small_network()
    radiographs = noise_radiographs(BATCH_SIZE + 2)
    classes = np.arange(len(radiographs)) % 3
    together = maps_of(network, radiographs, classes)
    for index in (0, BATCH_SIZE - 1, BATCH_SIZE + 1):
        alone = maps_of(network, radiographs[index : index + 1], classes[index : index + 1])
        np.testing.assert_allclose(together[index], alone[0], rtol=1e-3, atol=1e-5)
