"""Decisions and heat maps of a table's samples."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hilum.overlay import draw_overlay
from tests.support.evidence import bright_square_network, radiograph_with_square, small_network
from training.data.cache import RadiographCache
from training.data.samples import SampleTable
from training.explain.decision import DecisionRule
from training.explain.explained import explain_table
from training.explain.methods import METHODS, Method
from training.explain.occlusion import OcclusionConfig

BY_CELLS = OcclusionConfig(size_px=32, stride_px=32)


def peak(heat_map: NDArray[np.float32]) -> tuple[float, float]:
    """Return the middle of the places where the map is highest, as shares of its sides."""
    rows, columns = np.nonzero(heat_map >= heat_map.max() * 0.999)
    height, width = heat_map.shape
    return float(rows.mean() + 0.5) / height, float(columns.mean() + 0.5) / width


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_evidence(method: Method, table: SampleTable, cache: RadiographCache) -> None:
    explained = explain_table(bright_square_network(), table, cache, method, occlusion=BY_CELLS)
    assert explained.decided.tolist() == [1, 0, 1, 1, 1]
    assert explained.probabilities[2] == pytest.approx(1, abs=1e-4)
    for index, (row, column) in {0: (2, 2), 2: (3, 3), 3: (4, 5)}.items():
        assert peak(explained.heat.maps[index]) == pytest.approx(((row + 0.5) / 8, (column + 0.5) / 8))
    assert explained.border_shares[[2, 3]] == pytest.approx([0, 0], abs=1e-4)
    assert explained.border_shares[4] == pytest.approx(1 - 0.2**2, abs=1e-3), "0.2 of a cell is inside"
    assert (explained.heat.occlusion is not None) == (method == "occlusion")


def test_a_turned_sample_is_explained_as_the_network_sees_it(
    table: SampleTable, cache: RadiographCache
) -> None:
    turned = SampleTable(table.frame.iloc[[3]].assign(turns=1), table.labels)
    explained = explain_table(bright_square_network(), turned, cache, "cam")
    np.testing.assert_array_equal(explained.radiographs[0], np.rot90(radiograph_with_square(4, 5)))
    assert np.unravel_index(explained.heat.maps[0].argmax(), (8, 8)) == (2, 4)


def test_the_rule_decides_what_is_explained(table: SampleTable, cache: RadiographCache) -> None:
    rule = DecisionRule(decide=lambda probabilities: np.zeros(len(probabilities), np.int64), temperature=10)
    explained = explain_table(bright_square_network(), table, cache, "cam", rule=rule)
    assert explained.decided.tolist() == [0] * 5
    assert explained.probabilities[2] == pytest.approx(1 / (1 + np.exp(1.5)), abs=1e-4)
    assert explained.heat.maps.max() == 0, "the network has no evidence for `dark`"
    assert np.isnan(explained.border_shares).all()


def test_maps_and_pictures_of_a_wide_network_cover_its_canvas(
    table: SampleTable, cache: RadiographCache
) -> None:
    network = small_network(table.labels, image_size_px=(32, 64))
    for method in METHODS:
        explained = explain_table(network, table, cache, method, occlusion=BY_CELLS)
        assert explained.canvases.shape == (5, 256, 512)
        height, width = explained.heat.maps.shape[1:]
        assert width == 2 * height
        assert explained.picture(0, 128).size == (128, 64)
        assert explained.boxes.outside == pytest.approx(np.full(5, 0.5))
    black = explained.heat.maps[:, :, [*range(128), *range(384, 512)]]
    assert (black == 0).all(), "occlusion covers the radiograph and not the canvas"


def test_a_line_surrounds_what_flips_the_decision(table: SampleTable, cache: RadiographCache) -> None:
    explained = explain_table(bright_square_network(), table, cache, "occlusion", occlusion=BY_CELLS)
    bare = draw_overlay(explained.canvases[2], explained.heat.maps[2], size_px=256)
    differs = (np.asarray(explained.picture(2, 256)) != np.asarray(bare)).any(axis=2)
    rows, columns = np.nonzero(differs)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (96, 127, 96, 127)
    assert not differs[105:118, 105:118].any(), "the region's inside stays to be seen"
    assert explained.picture(1, 256) == Image.fromarray(explained.canvases[1]).convert("RGB"), "none to mark"
