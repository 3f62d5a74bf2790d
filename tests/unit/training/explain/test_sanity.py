"""The checks as a whole."""

import numpy as np
import pandas as pd
import pytest

from tests.support.evidence import bright_square_network, noise_radiographs, small_network
from training.data.cache import RadiographCache
from training.data.samples import SampleTable
from training.explain.explained import ExplainedImages, explain_table
from training.explain.methods import explain_images
from training.explain.occlusion import OcclusionConfig
from training.explain.randomisation import RandomisedStage
from training.explain.sanity import IMAGES_PER_CLASS, Sanity, check_sanity
from training.explain.similarity import Mean
from training.explain.summary import summarise
from training.explain.tables import sanity_table, summary_table

COARSE = OcclusionConfig(size_px=128, stride_px=128)


def test_methods_agree_where_the_evidence_is_plain(table: SampleTable, cache: RadiographCache) -> None:
    bright = SampleTable(table.frame.iloc[2:], table.labels)
    by_cells = OcclusionConfig(size_px=32, stride_px=32)
    explained = explain_table(bright_square_network(), bright, cache, "cam", occlusion=by_cells)
    sanity = check_sanity(bright_square_network(), explained, occlusion=by_cells, draws=1)
    assert list(sanity.agreement) == ["CAM and Grad-CAM", "CAM and occlusion", "Grad-CAM and occlusion"]
    for mean in sanity.agreement.values():
        assert mean.value == pytest.approx(1, abs=1e-3)
        assert mean.n == 3


def test_only_some_images_of_each_class_are_checked() -> None:
    network = small_network()
    radiographs = noise_radiographs(8)
    frame = pd.DataFrame({"label": ["a"] * 6 + ["b", "c"]})
    explained = ExplainedImages(
        SampleTable(frame, ("a", "b", "c")),
        radiographs,
        radiographs,
        np.array([0] * 8),
        np.ones(8),
        explain_images(network, radiographs, np.array([0] * 8), "grad_cam"),
    )
    sanity = check_sanity(network, explained, occlusion=COARSE, draws=1)
    assert sanity.stages[-1].rank_correlation.n == IMAGES_PER_CLASS + 2
    assert "they depend on what it learnt" in sanity.sentence
    assert sanity.agreement["CAM and Grad-CAM"].value == pytest.approx(1, abs=1e-3)
    assert sanity_table(sanity).row_count == len(sanity.stages) + 3
    assert summary_table("grad_cam", summarise(explained)).row_count == 3


def test_maps_that_ignore_the_weights_are_not_to_be_read() -> None:
    unchanged = RandomisedStage("all weights", 1.0, Mean(0.9, 0.8, 1.0, 5), Mean(0.9, 0.8, 1.0, 5))
    sentence = Sanity("occlusion", (unchanged,), {}).sentence
    assert "rank correlation of 0.90 (0.80 to 1.00)" in sentence
    assert sentence.endswith("Do not read them as its reasons.")
