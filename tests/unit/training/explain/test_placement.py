"""Shares of a heat map's mass, worked by hand."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.support.evidence import small_network
from training.explain.placement import (
    FLAT_BORDER_SHARE,
    FilmBoxes,
    border_share,
    film_boxes,
    on_canvas,
    outside_share,
)


def one_cell(side: int, row: int, column: int) -> NDArray[np.float32]:
    maps = np.zeros((1, side, side), np.float32)
    maps[0, row, column] = 3
    return maps


@pytest.mark.parametrize(
    ("maps", "share"),
    [
        (np.ones((1, 10, 10), np.float32), 0.36),  # 100 - 64 cells of 100
        (one_cell(10, 0, 5), 1),
        (one_cell(10, 1, 1), 0),
        (one_cell(5, 0, 2), 0.5),  # the border is half a cell wide
        (one_cell(5, 4, 4), 0.75),  # all of a corner but a quarter
        (one_cell(5, 2, 2), 0),
        (one_cell(4, 0, 1), 0.4),  # the border is 0.4 cells wide
        (np.ones((1, 7, 14), np.float32), FLAT_BORDER_SHARE),
    ],
)
def test_border_share_by_hand(maps: NDArray[np.float32], share: float) -> None:
    assert border_share(maps) == pytest.approx([share])


def test_border_share_is_the_same_for_a_map_enlarged_scaled_turned_or_with_negative_cells() -> None:
    maps = np.random.default_rng(0).random((6, 7, 7))
    shares = border_share(maps)
    enlarged = maps.repeat(30, axis=1).repeat(30, axis=2)
    for other in (enlarged, maps * 1e-9, maps[:, ::-1], maps.transpose(0, 2, 1)):
        assert border_share(other) == pytest.approx(shares)
    outer = np.ones((210, 210), bool)
    outer[21:-21, 21:-21] = False
    assert shares == pytest.approx(enlarged[:, outer].sum(axis=1) / enlarged.sum(axis=(1, 2)))
    maps[:, 3, 3] = -5
    without = maps.copy()
    without[:, 3, 3] = 0
    np.testing.assert_array_equal(border_share(maps), border_share(without))


def test_a_map_without_evidence_or_too_coarse_has_no_border_share() -> None:
    assert np.isnan(border_share(np.full((2, 7, 7), -1.0))).all()
    assert np.isnan(border_share(np.ones((2, 2, 2)))).all()


def test_the_film_is_found_inside_the_letterbox() -> None:
    images = np.zeros((3, 256, 256), np.uint8)
    images[0, :, 32:224] = 90
    images[1, 64:128] = 90
    images[1, 0] = 5  # the noise that JPEG leaves in black
    boxes = film_boxes(images)
    assert boxes.left == pytest.approx([1 / 8, 0, 0])
    assert boxes.right == pytest.approx([7 / 8, 1, 1])
    assert boxes.top == pytest.approx([0, 1 / 4, 0])
    assert boxes.bottom == pytest.approx([1, 1 / 2, 1]), "an image that is all black counts whole"
    assert boxes.outside == pytest.approx([1 / 4, 3 / 4, 0])


def test_outside_share_counts_cells_by_their_part() -> None:
    boxes = FilmBoxes(*(np.array([edge]) for edge in (0.0, 1.0, 0.25, 0.75)))
    assert outside_share(np.ones((1, 4, 4)), boxes) == pytest.approx([0.5])
    assert outside_share(one_cell(4, 2, 0), boxes) == pytest.approx([1])
    assert outside_share(one_cell(4, 2, 1), boxes) == pytest.approx([0])
    assert outside_share(one_cell(2, 1, 1), boxes) == pytest.approx([0.5])
    assert np.isnan(outside_share(np.zeros((1, 4, 4)), boxes)).all()


def test_the_canvas_is_what_the_network_is_fed() -> None:
    network = small_network(image_size_px=(32, 48), mean=0.0, std=1.0)
    white = np.full((1, 256, 256), 255, np.uint8)
    canvas = on_canvas(white, network.config.canvas_px)
    fed = network.preprocess(torch.from_numpy(white)[:, None])[:, 0].numpy()
    assert canvas.shape == (1, 256, 384)
    np.testing.assert_array_equal(canvas[:, ::8, ::8] > 0, fed > 0)
    assert film_boxes(canvas).outside == pytest.approx([1 / 3])


def test_a_square_network_sees_the_radiograph_as_it_is() -> None:
    radiographs = np.arange(2 * 9, dtype=np.uint8).reshape(2, 3, 3)
    np.testing.assert_array_equal(on_canvas(radiographs, (224, 224)), radiographs)
