"""The networks: shapes, the heat map's identity, weights."""

from pathlib import Path

import pytest
import torch
from torch import nn

from training.errors import RecipeError, WeightsError
from training.models.backbones import BackboneConfig, build_backbone
from training.models.network import RadiographNetwork

LABELS = ("a", "b", "c")
SMALL = BackboneConfig(name="mobilenetv1_100", channels=1, image_size_px=64)
ICAPUC = BackboneConfig(name="densenet121", cut_after="features.transition3.norm", channels=3)


def radiographs(n: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, 1, 256, 256), dtype=torch.uint8, generator=generator)


def last_layer(network: RadiographNetwork) -> nn.Conv2d:
    layer = network.head.layers[-1]
    assert isinstance(layer, nn.Conv2d)
    return layer


def test_icapucs_cut_yields_a_14_by_14_map_and_1024_features() -> None:
    output = RadiographNetwork(ICAPUC, LABELS).eval()(radiographs(1))
    assert output.activation_map.shape == (1, 3, 14, 14)
    assert output.embedding.shape == (1, 1024)


def test_logits_are_a_dense_layer_on_the_embedding() -> None:
    network = RadiographNetwork(SMALL, LABELS).eval()
    dense = nn.Linear(1024, 3)
    last = last_layer(network)
    assert last.bias is not None
    dense.load_state_dict({"weight": last.weight[:, :, 0, 0], "bias": last.bias})
    output = network(radiographs(2))
    torch.testing.assert_close(output.logits, dense(output.embedding))


def test_activation_map_is_grad_cam_times_the_number_of_positions() -> None:
    """Selvaraju et al. 2017, eq. 1 and 2 without ReLU: the map less its bias, over its positions."""
    network = RadiographNetwork(SMALL, LABELS).eval()
    features = network.backbone(network.preprocess(radiographs(1))).detach().requires_grad_()
    network.head(features)[0][0, 1].backward()
    assert features.grad is not None
    weights = features.grad.mean(dim=(2, 3), keepdim=True)
    grad_cam = (weights * features).sum(dim=1)[0]
    positions = features.shape[2] * features.shape[3]
    bias = last_layer(network).bias
    assert bias is not None
    expected = (network(radiographs(1)).activation_map[0, 1] - bias[1]) / positions
    torch.testing.assert_close(grad_cam, expected, atol=1e-6, rtol=1e-4)


def test_a_batch_answers_as_its_images_do_alone() -> None:
    network = RadiographNetwork(SMALL, LABELS).eval()
    images = radiographs(3)
    together = network(images).logits
    alone = torch.cat([network(image[None]).logits for image in images])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_an_unknown_network_names_similar_ones() -> None:
    with pytest.raises(RecipeError, match=r"no network 'densenet122'.*densenet121"):
        build_backbone(BackboneConfig(name="densenet122"), "none")


def test_an_unknown_layer_names_those_there_are() -> None:
    config = BackboneConfig(name="densenet121", cut_after="features.block9")
    with pytest.raises(RecipeError, match=r"no layer 'block9'; there are conv0"):
        build_backbone(config, "none")


def test_weights_from_a_file_are_used(tmp_path: Path) -> None:
    source = build_backbone(SMALL, "none").layers.network
    path = tmp_path / "weights.pt"
    assert isinstance(source, nn.Module)
    torch.save(source.state_dict(), path)
    loaded = build_backbone(SMALL, str(path)).layers.network
    assert isinstance(loaded, nn.Module)
    for name, tensor in source.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name]), name


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    torch.save(nn.Linear(2, 2).state_dict(), path)
    with pytest.raises(WeightsError, match=r"other\.pt does not hold the weights of timm's mobilenetv1_100"):
        build_backbone(SMALL, str(path))


def test_a_missing_weights_file_is_named() -> None:
    with pytest.raises(WeightsError, match=r"found no file nowhere\.pt"):
        build_backbone(SMALL, "nowhere.pt")


def test_a_state_of_another_head_is_refused() -> None:
    state = RadiographNetwork(SMALL, ("a", "b")).state_dict()
    with pytest.raises(WeightsError, match="another architecture than mobilenetv1_100 with 3 classes"):
        RadiographNetwork(SMALL, LABELS).load_weights(state, "two.pt")
