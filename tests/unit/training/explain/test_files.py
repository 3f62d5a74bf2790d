"""The pictures that an explanation leaves."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.support.evidence import bright_square_network
from training.data.cache import RadiographCache
from training.data.samples import SampleTable
from training.explain.explained import ExplainedImages, explain_table
from training.explain.files import draw_files, overlay_files


@pytest.fixture(scope="module")
def explained(table: SampleTable, cache: RadiographCache) -> ExplainedImages:
    return explain_table(bright_square_network(), table, cache, "cam")


def test_every_image_has_an_overlay_and_every_class_a_contact_sheet(explained: ExplainedImages) -> None:
    files = dict(draw_files(explained))
    assert list(files) == [*overlay_files(explained), "contact_dark.png", "contact_bright.png"]
    assert overlay_files(explained)[:3] == ["dark/0.png", "dark/1.png", "bright/0.png"]
    sizes = {name: Image.open(BytesIO(png)).size for name, png in files.items()}
    assert sizes["bright/0.png"][0] == 512
    assert sizes["bright/0.png"][1] > 512, "the caption stands below"
    assert sizes["contact_bright.png"][0] > sizes["contact_dark.png"][0], "three pairs are wider than two"


def test_a_contact_sheet_shows_each_film_bare_and_under_its_map(explained: ExplainedImages) -> None:
    sheet = np.asarray(Image.open(BytesIO(dict(draw_files(explained))["contact_bright.png"]))).astype(int)
    tile = sheet[:190, :380]
    coloured = np.ptp(tile, axis=2) > 40
    assert not coloured[:, :190].any()
    rows, columns = np.nonzero(coloured[:, 190:])
    assert rows.mean() == pytest.approx(3.5 / 8 * 190, abs=5)
    assert columns.mean() == pytest.approx(3.5 / 8 * 190, abs=5)


def test_names_are_safe_and_no_two_alike(explained: ExplainedImages) -> None:
    paths = ["a/1.png", "b/1.jpg", "c/../../1.PNG", "d/<b>.png", "e/1-2.png"]
    frame = explained.table.frame.assign(path=paths, label="x/y")
    renamed = ExplainedImages(
        SampleTable(frame, ("x/y",)),
        explained.radiographs,
        explained.canvases,
        explained.decided,
        explained.probabilities,
        explained.heat,
    )
    names = overlay_files(renamed)
    assert names == ["x_y/1.png", "x_y/1-2.png", "x_y/1-3.png", "x_y/_b_.png", "x_y/1-2-2.png"]
