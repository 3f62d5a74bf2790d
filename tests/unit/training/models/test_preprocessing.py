"""What happens to radiographs before the network, against other implementations, and inside the ONNX file."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from training.export.onnx_export import export_onnx
from training.export.parity import check_parity
from training.export.served import ServedClassifier
from training.models.backbones import BackboneConfig
from training.models.head import HeadConfig
from training.models.network import RadiographNetwork
from training.models.preprocessing import equalize_histograms, fit_canvas

Levels = NDArray[np.uint8]


def pictures() -> dict[str, Levels]:
    """Radiograph-like pictures: dark, narrow, with black borders, of two levels, and noise."""
    rng = np.random.default_rng(0)
    ramp = np.tile(np.linspace(60, 120, 64), (64, 1))
    bordered = np.zeros((64, 64))
    bordered[:, 12:52] = rng.normal(140, 25, (64, 40))
    pictures = {
        "dark": rng.gamma(2.0, 12.0, (64, 64)),
        "narrow": ramp + rng.normal(0, 3, (64, 64)),
        "bordered": bordered,
        "two levels": np.where(ramp > 90, 200.0, 30.0),
        "noise": rng.uniform(0, 256, (64, 64)),
    }
    return {name: picture.clip(0, 255).astype(np.uint8) for name, picture in pictures.items()}


def by_hand(picture: Levels) -> NDArray[np.float64]:
    """Equalise level by level, as Gonzalez and Woods write it."""
    cumulative = {level: int((picture <= level).sum()) for level in np.unique(picture)}
    lowest = cumulative[int(picture.min())]
    spread = {level: 255 * (n - lowest) / (picture.size - lowest) for level, n in cumulative.items()}
    table = np.array([round(spread.get(level, 0.0)) for level in range(256)], dtype=np.float64)
    return table[picture]


def equalized(picture: Levels) -> NDArray[np.float32]:
    result: NDArray[np.float32] = equalize_histograms(torch.from_numpy(picture)[None, None])[0, 0].numpy()
    return result


@pytest.mark.parametrize("name", pictures())
def test_equalisation_is_the_textbooks(name: str) -> None:
    picture = pictures()[name]
    np.testing.assert_array_equal(equalized(picture), by_hand(picture))


def test_equalisation_agrees_with_pillow_where_no_level_is_common() -> None:
    """Pillow takes the brightest level for the darkest in its scale: the same up to a few of 255 levels."""
    picture = pictures()["noise"]
    pillow = np.asarray(ImageOps.equalize(Image.fromarray(picture)), dtype=np.float64)
    assert np.abs(equalized(picture) - pillow).max() <= 2


def test_equalisation_spreads_levels_evenly_and_keeps_black_black() -> None:
    picture = pictures()["narrow"]
    histogram, _ = np.histogram(equalized(picture), bins=8, range=(0, 256))
    assert histogram.max() < 1.3 * picture.size / 8
    bordered = pictures()["bordered"]
    assert (equalized(bordered)[bordered == 0] == 0).all()


def test_equalisation_of_one_level_is_black_and_of_a_batch_image_by_image() -> None:
    assert (equalized(np.full((8, 8), 77, np.uint8)) == 0).all()
    batch = np.stack(list(pictures().values()))[:, None]
    together = equalize_histograms(torch.from_numpy(batch))
    for picture, row in zip(pictures().values(), together, strict=True):
        np.testing.assert_array_equal(row[0].numpy(), equalized(picture))


def test_a_canvas_holds_the_radiograph_undistorted_in_its_middle() -> None:
    images = torch.full((1, 1, 256, 256), 10.0)
    images[..., 64:192, 64:192] = 200.0  # a square of half the side
    canvas = fit_canvas(images, (200, 266))
    assert canvas.shape == (1, 1, 200, 266)
    assert (canvas[..., :33] == 0).all()
    assert (canvas[..., 233:] == 0).all()
    assert (canvas[..., 33:233] >= 10).all()
    bright = canvas[0, 0] > 105
    rows, columns = bright.any(dim=1).nonzero(), bright.any(dim=0).nonzero()
    assert (len(rows), len(columns)) == (100, 100)
    assert (int(rows[0]), int(columns[0])) == (50, 33 + 50)


def test_a_tall_canvas_pads_above_and_below() -> None:
    canvas = fit_canvas(torch.ones(1, 1, 64, 64), (100, 64))
    assert canvas[0, 0].sum(dim=1).nonzero()[[0, -1], 0].tolist() == [18, 81]


def test_a_square_of_the_right_size_is_left_alone() -> None:
    images = torch.rand(2, 1, 64, 64)
    assert fit_canvas(images, (64, 64)) is images


def test_black_is_drawn_before_normalisation() -> None:
    """The border is black as the film's own black is, and not the mean's gray."""
    config = BackboneConfig(name="mobilenetv1_100", image_size_px=(64, 96), mean=0.4, std=0.2)
    network = RadiographNetwork(config, ("a", "b"))
    images = network.preprocess(torch.zeros(1, 1, 256, 256, dtype=torch.uint8))
    assert images.shape == (1, 3, 64, 96)
    torch.testing.assert_close(images, torch.full_like(images, -2.0))


@pytest.fixture(scope="module")
def equalizing() -> RadiographNetwork:
    """A network that equalises, on the canvas of Apostolopoulos, under two dense layers."""
    torch.manual_seed(0)
    config = BackboneConfig(
        name="mobilenetv1_100", channels=3, image_size_px=(200, 266), equalize_histogram=True
    )
    return RadiographNetwork(config, ("a", "b", "c"), HeadConfig(hidden=(16, 8), dropout=0.5)).eval()


def radiographs(n: int) -> NDArray[np.uint8]:
    """Return smooth dark radiographs without the highest levels, which equalisation moves far."""
    rng = np.random.default_rng(1)
    coarse = rng.gamma(2.0, 20.0, (n, 17, 17)).clip(0, 200)
    smooth = [Image.fromarray(image.astype(np.uint8)).resize((256, 256)) for image in coarse]
    stacked: NDArray[np.uint8] = np.stack([np.asarray(image) for image in smooth])[:, None]
    return stacked


def test_the_whole_preprocessing_is_in_the_onnx_file(equalizing: RadiographNetwork, tmp_path: Path) -> None:
    served = ServedClassifier(equalizing).eval()
    exported = export_onnx(served, tmp_path / "model.onnx", {})
    assert exported.map_size == (7, 9)
    images = radiographs(16)
    check_parity(served, exported.path, images)
    with torch.inference_mode():
        expected = equalizing(torch.from_numpy(images[:3])).logits.softmax(dim=1).numpy()
    probabilities = run(exported.path, images[:3])
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    # a brighter exposure of the same films keeps the order of the levels, which is all that equalising sees
    np.testing.assert_allclose(run(exported.path, images[:3] + np.uint8(40)), probabilities, atol=1e-5)


def run(path: Path, images: Levels) -> NDArray[Any]:
    """Return the probabilities that ONNX Runtime gives."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    accepted = np.ones((len(images), 1), dtype=np.bool_)
    probabilities: NDArray[Any] = session.run(
        ["probabilities"], {"radiograph": images, "accepted": accepted}
    )[0]
    return probabilities


def test_hidden_layers_answer_from_the_pooled_features(equalizing: RadiographNetwork) -> None:
    images = torch.from_numpy(radiographs(2))
    with torch.inference_mode():
        output = equalizing(images)
        hidden = [layer for layer in equalizing.head.layers if isinstance(layer, torch.nn.Conv2d)]
        features = output.embedding
        for number, layer in enumerate(hidden):
            assert layer.bias is not None
            features = features @ layer.weight[:, :, 0, 0].T + layer.bias
            features = features.relu() if number < len(hidden) - 1 else features
    assert [layer.out_channels for layer in hidden] == [16, 8, 3]
    torch.testing.assert_close(output.logits, features, atol=1e-5, rtol=1e-5)
