"""The randomisation test tells methods that read the weights from one that reads the image alone."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import sobel

from tests.support.evidence import noise_radiographs, small_network
from training.explain.methods import METHODS, Method, explain_images
from training.explain.occlusion import OcclusionConfig
from training.explain.randomisation import depends_on_weights, randomisation_test
from training.models.head import HeadConfig
from training.models.network import RadiographNetwork

RADIOGRAPHS = noise_radiographs(3)
CLASSES = np.array([0, 1, 2])


def edges(_network: RadiographNetwork, _description: str) -> NDArray[np.float32]:
    """An edge detector: looks like an explanation and knows nothing of the network."""
    pixels = RADIOGRAPHS.astype(np.float32)
    return np.hypot(sobel(pixels, axis=1), sobel(pixels, axis=2))


@pytest.mark.parametrize("method", METHODS)
def test_a_method_that_reads_the_weights_changes_with_them(method: Method) -> None:
    network = small_network()
    occlusion = OcclusionConfig(size_px=64, stride_px=64)

    def explain(asked: RadiographNetwork, description: str) -> NDArray[np.float32]:
        return explain_images(
            asked, RADIOGRAPHS, CLASSES, method, occlusion=occlusion, description=description
        ).maps

    stages = randomisation_test(network, explain)
    assert [stage.name for stage in stages] == [
        "head",
        "head and last 25 % of layers",
        "head and last 50 % of layers",
        "head and last 75 % of layers",
        "all weights",
    ]
    assert depends_on_weights(stages)
    assert all(stage.rank_correlation.n == 3 for stage in stages)


def test_an_edge_detector_is_found_out() -> None:
    stages = randomisation_test(small_network(), edges)
    assert not depends_on_weights(stages)
    for stage in stages:
        assert stage.rank_correlation.value == pytest.approx(1)
        assert stage.structural_similarity.value == pytest.approx(1)


def test_the_cascade_goes_from_the_head_to_the_first_layer_and_leaves_the_network_alone() -> None:
    network = small_network(head=HeadConfig(hidden=(8,)))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    changed: list[set[str]] = []

    def watch(asked: RadiographNetwork, _description: str) -> NDArray[np.float32]:
        weights = asked.named_parameters()
        changed.append({name for name, value in weights if not torch.equal(value, before[name])})
        return np.ones((1, 4, 4), np.float32)

    stages = randomisation_test(network, watch, draws=1)
    assert changed[0] == set(), "the trained network comes first"
    weights = {name for name, value in network.named_parameters() if value.ndim > 1}
    assert {name for name in changed[1] if name in weights} == {
        "head.layers.0.weight",
        "head.layers.2.weight",
    }
    for earlier, later in pairwise(changed):
        assert earlier < later
    assert weights <= changed[-1]
    assert "backbone.layers.0.weight" not in changed[-2]
    shares = [stage.weights for stage in stages]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    head = sum(value.numel() for value in network.head.parameters())
    assert shares[0] == pytest.approx(head / sum(value.numel() for value in network.parameters()))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_random_weights_still_pass_signals_on() -> None:
    """A network that random weights silence would fail every method, whatever it reads."""
    network = small_network()
    spreads: list[float] = []

    def watch(asked: RadiographNetwork, _description: str) -> NDArray[np.float32]:
        with torch.inference_mode():
            output = asked(torch.from_numpy(RADIOGRAPHS)[:, None])
        spreads.append(float(output.activation_map.std(dim=(2, 3)).min()))
        return np.ones((1, 4, 4), np.float32)

    randomisation_test(network, watch, draws=3)
    assert min(spreads[1:]) > 0.01


def test_the_seed_decides_the_random_weights() -> None:
    network = small_network()

    def explain(asked: RadiographNetwork, description: str) -> NDArray[np.float32]:
        return explain_images(asked, RADIOGRAPHS, CLASSES, "cam", description=description).maps

    torch.manual_seed(1)
    first = randomisation_test(network, explain, draws=1, seed=3)
    torch.manual_seed(2)
    assert randomisation_test(network, explain, draws=1, seed=3) == first
    assert randomisation_test(network, explain, draws=1, seed=4) != first
