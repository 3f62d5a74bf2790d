import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.optimize import minimize

from training.data.alignment import Detail, align, window_warp

SIDE = 96
WHOLE = window_warp(0, 0, 1, 1)


def texture(seed: int) -> NDArray[np.float64]:
    """A picture with detail at several scales, 0 to 255."""
    noise = np.random.default_rng(seed).normal(size=(SIDE, SIDE))
    mixed = np.sum([gaussian_filter(noise, sigma) * sigma for sigma in (1.5, 3, 6)], axis=0)
    picture: NDArray[np.float64] = 255 * (mixed - mixed.min()) / np.ptp(mixed)
    return picture


def cropped(picture: NDArray[np.float64], left: float, top: float, width: float, height: float) -> Detail:
    box = (SIDE * left, SIDE * top, SIDE * (left + width), SIDE * (top + height))
    part = Image.fromarray(picture.astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box)
    return Detail.of(np.asarray(part), 48)


def test_a_crop_is_found_where_it_was_cut() -> None:
    picture = texture(0)
    truth = window_warp(0.06, 0.11, 0.83, 0.78)
    part = cropped(picture, 0.06, 0.11, 0.83, 0.78)
    before, _ = align(Detail.of(picture, 48), part, window_warp(0.1, 0.1, 0.8, 0.8), iterations=0)
    after, warp = align(Detail.of(picture, 48), part, window_warp(0.1, 0.1, 0.8, 0.8), iterations=15)
    assert before < 0.8 < 0.95 < after
    np.testing.assert_allclose(warp, truth, atol=0.01)


def test_it_gets_as_high_as_a_general_optimiser() -> None:
    """Nelder and Mead's search knows nothing of slopes and steps: an independent way up the same hill."""
    picture = Detail.of(texture(1), 48)
    part = cropped(texture(1), 0.08, 0.02, 0.88, 0.9)
    guess = window_warp(0.05, 0.0, 0.9, 0.9)

    def loss(warp: NDArray[np.float64]) -> float:
        return -align(picture, part, warp.reshape(2, 3), iterations=0)[0]

    searched = minimize(loss, guess.ravel(), method="Nelder-Mead", options={"maxiter": 1500})
    assert searched.fun < loss(guess) - 0.1
    assert align(picture, part, guess, iterations=20)[0] >= -searched.fun - 0.005


def test_a_tilted_copy_is_laid_straight() -> None:
    picture = texture(2)
    tilted = np.asarray(Image.fromarray(picture.astype(np.float32)).rotate(4, Image.Resampling.BILINEAR))
    start, _ = align(Detail.of(picture, 64), Detail.of(tilted, 64), WHOLE, iterations=0)
    found, warp = align(Detail.of(picture, 64), Detail.of(tilted, 64), WHOLE, iterations=15)
    assert found > max(0.85, start)
    angle = np.degrees(np.arctan2(warp[1, 1], warp[0, 1]))
    assert abs(angle) == pytest.approx(4, abs=0.5)


@pytest.mark.parametrize(
    "change", [lambda a: 0.5 * a + 60, lambda a: 255 * (a / 255) ** 0.6], ids=["window", "gamma"]
)
def test_brightness_contrast_and_gamma_hardly_count(change: np.ufunc) -> None:
    picture = texture(3)
    found, _ = align(Detail.of(picture, 64), Detail.of(change(picture), 64), WHOLE, iterations=0)
    assert found > 0.97


def test_different_pictures_stay_different() -> None:
    found, _ = align(Detail.of(texture(4), 64), Detail.of(texture(5), 64), WHOLE, iterations=15)
    assert found < 0.5


def test_a_flat_picture_is_like_nothing() -> None:
    flat, picture = Detail.of(np.full((SIDE, SIDE), 7.0), 32), Detail.of(texture(6), 32)
    for pair in ((flat, picture), (picture, flat), (flat, flat)):
        assert align(*pair, WHOLE, iterations=8)[0] == 0
