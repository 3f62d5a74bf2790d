import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hilum.overlay import OVERLAY_SIZE_PX, draw_overlay, with_lines

GRAY = np.full((256, 256), 90, np.uint8)


def _strength(overlay: Image.Image) -> NDArray[np.int_]:
    """Return how far each pixel is from gray."""
    pixels = np.asarray(overlay).astype(int)
    return np.asarray(pixels.max(axis=2) - pixels.min(axis=2))


def test_the_colour_lies_where_the_evidence_is() -> None:
    evidence = np.zeros((4, 4), np.float32)
    evidence[0, 3] = 5  # top right
    strength = _strength(draw_overlay(GRAY, evidence))
    assert strength.shape == (OVERLAY_SIZE_PX, OVERLAY_SIZE_PX)
    row, column = np.unravel_index(strength.argmax(), strength.shape)
    assert row < OVERLAY_SIZE_PX / 4
    assert column > OVERLAY_SIZE_PX * 3 / 4
    assert strength[OVERLAY_SIZE_PX // 2 :].max() == 0, "the radiograph is bare where there is no evidence"


def test_negative_evidence_is_not_shown_and_no_evidence_is_no_error() -> None:
    overlay = draw_overlay(GRAY, np.full((4, 4), -1, np.float32))
    assert np.array_equal(np.asarray(overlay), np.full((OVERLAY_SIZE_PX, OVERLAY_SIZE_PX, 3), 90))


def test_colours_do_not_depend_on_the_maps_scale() -> None:
    evidence = np.random.default_rng(0).random((14, 14), np.float32)
    assert draw_overlay(GRAY, evidence) == draw_overlay(GRAY, evidence * 1024)


def test_a_wide_radiograph_keeps_its_proportions() -> None:
    overlay = draw_overlay(GRAY[:128], np.ones((2, 4), np.float32), size_px=300)
    assert overlay.size == (300, 150)


def test_lines_are_wrapped_to_the_pictures_width() -> None:
    page = np.asarray(with_lines(Image.new("RGB", (200, 40)), ["a rather long line " * 6]))
    strip = page[40:]
    assert strip.max() > 200, "there is text"
    assert strip[:, -4:].max() == 0, "no line is cut off at the right"
    assert strip.shape[0] > 60, "it takes several lines"
