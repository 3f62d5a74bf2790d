"""What is said of a network whose evidence lies where no lung is."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from hilum.contract import LABELS as CONTRACT_LABELS
from tests.support.evidence import bright_square_network
from training.data.cache import RadiographCache
from training.data.samples import SampleTable
from training.explain.explained import ExplainedImages, explain_table
from training.explain.methods import HeatMaps
from training.explain.occlusion import OcclusionConfig
from training.explain.summary import ClassSummary, images_frame, summarise, warnings_of

RING = np.ones((8, 8), np.float32)
RING[2:-2, 2:-2] = 0
CENTRE = 1 - RING


@pytest.fixture(scope="module")
def explained(table: SampleTable, cache: RadiographCache) -> ExplainedImages:
    return explain_table(bright_square_network(), table, cache, "cam")


def with_maps(explained: ExplainedImages, maps: list[NDArray[np.float32]]) -> ExplainedImages:
    return replace(explained, heat=HeatMaps("cam", np.stack(maps)))


def test_classes_are_counted_and_averaged(explained: ExplainedImages) -> None:
    dark, bright = summarise(explained)
    assert (dark.label, dark.n_images, dark.n_right) == ("dark", 2, 1)
    assert (bright.label, bright.n_images, bright.n_right) == ("bright", 3, 3)
    assert bright.border_share.value == pytest.approx((0 + 0 + 0.96) / 3, abs=1e-3)
    assert bright.border_share.n == 3
    assert dark.border_share.n == 1, "the map of the image that is decided dark holds no evidence"
    assert bright.n_flipped is None
    assert bright.outside_area == 0


def test_a_class_without_images_is_left_out(explained: ExplainedImages) -> None:
    frame = explained.table.frame.assign(label=CONTRACT_LABELS[0])
    summaries = summarise(replace(explained, table=SampleTable(frame, CONTRACT_LABELS)))
    assert [summary.label for summary in summaries] == ["no_finding"]


def test_evidence_on_the_border_is_said_in_a_sentence(explained: ExplainedImages) -> None:
    ring = 1 - (6.4**2 - 4**2) / 48  # of 48 cells, those of the inner 6.4 x 6.4 that are not in the hole
    summaries = summarise(with_maps(explained, [CENTRE, CENTRE, RING, RING, RING]))
    assert summaries[1].border_share.value == pytest.approx(ring)
    (sentence,) = warnings_of(summaries)
    assert sentence == (
        f"bright: {100 * ring:.0f} % ({100 * ring:.0f} to {100 * ring:.0f} %) of the maps' mass lies on the "
        "outer tenth of the image, where a map that favours no place has 36 %: the network may be reading "
        "markers, not lungs."
    )


def test_evidence_outside_the_film_is_said_in_a_sentence(explained: ExplainedImages) -> None:
    letterboxed = explained.canvases.copy()
    letterboxed[:, :, :64] = 0
    left = np.zeros((8, 8), np.float32)
    left[3:5, :4] = 1
    shown = replace(with_maps(explained, [CENTRE, CENTRE, left, left, left]), canvases=letterboxed)
    (sentence,) = warnings_of(summarise(shown))
    assert sentence.startswith("bright: 50 % (50 to 50 %) of the maps' mass lies outside the film, on black")
    assert "25 % of the area" in sentence


def test_maps_that_say_nothing_are_said_to(explained: ExplainedImages) -> None:
    silent = np.zeros((8, 8), np.float32)
    sentences = warnings_of(summarise(with_maps(explained, [CENTRE, silent, CENTRE, CENTRE, CENTRE])))
    assert sentences == ("dark: 1 of 2 maps hold no evidence for the decided class anywhere.",)
    coarse = [np.ones((2, 2), np.float32)] * 5
    sentences = warnings_of(summarise(with_maps(explained, coarse)))
    assert len(sentences) == 2
    assert "too few cells to tell the border from the centre: use --method occlusion" in sentences[0]


def test_the_table_has_a_row_per_image(table: SampleTable, cache: RadiographCache) -> None:
    occlusion = OcclusionConfig(size_px=32, stride_px=32)
    explained = explain_table(bright_square_network(), table, cache, "occlusion", occlusion=occlusion)
    frame = images_frame(explained, list("abcde"))
    assert frame["path"].tolist() == table.frame["path"].tolist()
    assert frame["decided"].tolist() == ["bright", "dark", "bright", "bright", "bright"]
    assert frame["flipping_squares"].tolist() == [1, 0, 1, 1, 1]
    assert set(frame["squares"]) == {64}
    flipped: list[ClassSummary] = list(summarise(explained))
    assert [summary.n_flipped for summary in flipped] == [1, 3]
