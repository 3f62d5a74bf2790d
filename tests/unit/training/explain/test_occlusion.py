"""Occlusion: on evidence that is known, and against captum's."""

from functools import partial

import numpy as np
import pytest
import torch
from captum.attr import Occlusion
from torch import Tensor

from hilum.errors import UsageError
from tests.support.evidence import (
    bright_square_network,
    noise_radiographs,
    radiograph_with_square,
    small_network,
)
from training.explain.decision import DecisionRule, Floats, Integers
from training.explain.occlusion import OcclusionConfig, occlusion_maps

BRIGHT = np.array([1])
BY_CELLS = OcclusionConfig(size_px=32, stride_px=32)


def test_covering_the_evidence_flips_the_decision_and_nothing_else_does() -> None:
    radiograph = radiograph_with_square(1, 5)[None]
    found = occlusion_maps(bright_square_network(), radiograph, BRIGHT, BY_CELLS, DecisionRule())
    square = np.zeros((256, 256), bool)
    square[32:64, 160:192] = True
    np.testing.assert_array_equal(found.flips[0] > 0, square)
    assert found.flipping.tolist() == [1]
    assert found.places == 64
    before, after = (1 / (1 + np.exp(-logit)) for logit in (15, -5))
    assert found.drop[0][square] == pytest.approx(before - after)
    assert found.drop[0][~square] == pytest.approx(0, abs=1e-6)


def test_overlapping_squares_are_counted_and_averaged() -> None:
    """The white cell spans 32..64 and 160..192; squares of 64 px every 32 px cover it 2 x 2 times."""
    config = OcclusionConfig(size_px=64, stride_px=32)
    radiograph = radiograph_with_square(1, 5)[None]
    found = occlusion_maps(bright_square_network(), radiograph, BRIGHT, config, DecisionRule())
    assert found.flipping.tolist() == [4]
    flips = found.flips[0]
    assert flips[40, 170] == 4, "every square that covers the cell flips"
    assert flips[40, 140] == 2
    assert flips[10, 140] == 1
    assert flips[200, 40] == 0
    assert found.drop[0][40, 170] == pytest.approx(1, abs=0.01)
    assert found.drop[0][40, 140] == pytest.approx(0.5, abs=0.01), "two of the four squares over that pixel"
    assert found.drop[0][10, 140] == pytest.approx(0.5, abs=0.01), "one of the two squares over that pixel"


@pytest.mark.parametrize(("size", "stride"), [(64, 64), (64, 48)])
def test_the_drop_is_captums(size: int, stride: int) -> None:
    network, rule = small_network(), DecisionRule()
    radiographs = noise_radiographs(2)
    classes = np.array([2, 0])
    config = OcclusionConfig(size_px=size, stride_px=stride)

    def probabilities(images: Tensor) -> Tensor:
        answer: Tensor = network(images).logits.double().softmax(dim=1)
        return answer

    images = torch.from_numpy(radiographs)[:, None]
    with torch.no_grad():
        expected = Occlusion(probabilities).attribute(
            images,
            (1, size, size),
            (1, stride, stride),
            baselines=0,
            target=torch.from_numpy(classes),
            perturbations_per_eval=8,
        )
    found = occlusion_maps(network, radiographs, classes, config, rule)
    np.testing.assert_allclose(found.drop, expected[:, 0].numpy(), atol=1e-6)
    assert np.abs(found.drop).max() > 1e-4


def test_the_last_squares_end_at_the_edge() -> None:
    places = OcclusionConfig(size_px=100, stride_px=90).places(256)
    assert places == [(top, left) for top in (0, 90, 156) for left in (0, 90, 156)]
    assert OcclusionConfig(size_px=256, stride_px=1).places(256) == [(0, 0)]


def test_the_decision_that_flips_is_the_one_that_serving_makes() -> None:
    def reported_from(threshold: float, probabilities: Floats) -> Integers:
        return (probabilities[:, 1] >= threshold).astype(np.int64)

    radiograph = radiograph_with_square(1, 5)[None]
    flipping = {}
    for threshold in (0.001, 0.5):  # with the cell covered, the probability is 0.0067
        rule = DecisionRule(decide=partial(reported_from, threshold))
        found = occlusion_maps(bright_square_network(), radiograph, BRIGHT, BY_CELLS, rule)
        flipping[threshold] = found.flipping.tolist()
    assert flipping == {0.001: [0], 0.5: [1]}


def test_temperature_softens_the_drop_and_not_the_decision() -> None:
    radiograph = radiograph_with_square(1, 5)[None]
    rule = DecisionRule(temperature=10)
    found = occlusion_maps(bright_square_network(), radiograph, BRIGHT, BY_CELLS, rule)
    before, after = (1 / (1 + np.exp(-logit / 10)) for logit in (15, -5))
    assert found.drop.max() == pytest.approx(before - after)
    assert found.flipping.tolist() == [1]


def test_the_mean_fill_is_the_films_own_gray_and_not_the_letterboxs() -> None:
    network = small_network()
    gray = np.zeros((2, 256, 256), np.uint8)
    gray[0, :, 64:192] = 140
    gray[1] = 77
    config = OcclusionConfig(size_px=32, stride_px=32, fill="mean")
    found = occlusion_maps(network, gray, np.array([0, 0]), config, DecisionRule())
    assert found.drop[0][:, 64:192] == pytest.approx(0, abs=1e-7), "gray on gray of the film changes nothing"
    assert np.abs(found.drop[0][:, :64]).max() > 1e-6
    assert found.drop[1] == pytest.approx(0, abs=1e-7)
    black = occlusion_maps(network, gray, np.array([0, 0]), BY_CELLS, DecisionRule())
    assert np.abs(black.drop[0][:, 64:192]).max() > 1e-6
    assert black.drop[0][:, :64] == pytest.approx(0, abs=1e-7)


def test_the_radiographs_are_left_as_they_were() -> None:
    radiographs = noise_radiographs(1)
    before = radiographs.copy()
    occlusion_maps(small_network(), radiographs, np.array([0]), OcclusionConfig(), DecisionRule())
    np.testing.assert_array_equal(radiographs, before)


@pytest.mark.parametrize("stride", [0, 65])
def test_a_stride_that_leaves_pixels_out_is_refused(stride: int) -> None:
    with pytest.raises(UsageError, match=f"between 1 px and its side of 64 px, got {stride}"):
        OcclusionConfig(size_px=64, stride_px=stride)


def test_a_square_larger_than_the_radiograph_is_refused() -> None:
    config = OcclusionConfig(size_px=300, stride_px=32)
    with pytest.raises(UsageError, match="at most the radiograph's 256 px, got 300"):
        occlusion_maps(small_network(), noise_radiographs(1), np.array([0]), config, DecisionRule())
