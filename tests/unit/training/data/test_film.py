import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.film import ellipse, expose, make_grid, ramp, smooth_noise, strokes

seeds = st.integers(0, 2**32 - 1)


@given(seed=seeds, u=st.floats(-0.3, 0.3), v=st.floats(0.2, 0.8))
def test_a_point_should_lie_at_the_pixel_that_the_grid_gives_it(seed: int, u: float, v: float) -> None:
    grid = make_grid(np.random.default_rng(seed), aspect=(0.9, 1.1), tilt_deg=30)
    x, y = grid.to_pixels(u, v)
    column, line = round(x), round(y)
    assert grid.u[line, column] == pytest.approx(u, abs=1.5 / grid.scale_px)
    assert grid.v[line, column] == pytest.approx(v, abs=1.5 / grid.scale_px)


@given(st.floats(0.01, 2.0))
def test_ramp_should_rise_from_zero_to_one(softness: float) -> None:
    values = ramp(np.linspace(-3, 3, 101, dtype=np.float32), softness)
    assert values[0] == 0
    assert values[-1] == 1
    assert values[50] == pytest.approx(0.5, abs=1e-3)
    assert (np.diff(values) >= 0).all()


def test_an_ellipse_should_be_one_on_its_outline_however_it_is_turned() -> None:
    grid = make_grid(np.random.default_rng(0), aspect=(1, 1), tilt_deg=0)
    turn = 0.7
    distance = ellipse(grid, (0.1, 0.5), (0.2, 0.1), turn)
    x, y = grid.to_pixels(0.1 + 0.2 * np.cos(turn), 0.5 + 0.2 * np.sin(turn))
    assert distance[round(y), round(x)] == pytest.approx(1, abs=0.05)


@given(seeds)
def test_a_film_should_be_8_bit_and_256_to_384_px_long(seed: int) -> None:
    rng = np.random.default_rng(seed)
    grid = make_grid(rng, aspect=(0.7, 1.4))
    film = expose(rng, ellipse(grid, (0, 0.5), (0.3, 0.3)))
    assert film.dtype == np.uint8
    assert 256 <= max(film.shape) <= 384
    assert film.shape[1] / film.shape[0] == pytest.approx(grid.shape[1] / grid.shape[0], abs=0.01)
    assert film.std() > 20


def test_smooth_noise_should_be_centred_and_of_about_unit_deviation() -> None:
    noise = smooth_noise(np.random.default_rng(3), (256, 200), 40)
    assert noise.shape == (256, 200)
    assert abs(float(noise.mean())) < 0.1
    assert 0.7 < float(noise.std()) < 1.3


def test_strokes_should_mark_the_line_and_nothing_else() -> None:
    grid = make_grid(np.random.default_rng(1), aspect=(1, 1))
    drawn = strokes(grid, [([(-0.2, 0.5), (0.2, 0.5)], 0.02)], 0.5)
    x, y = grid.to_pixels(0.0, 0.5)
    assert drawn[round(y), round(x)] > 0.9
    assert drawn[:80].max() == 0
