import numpy as np
import pytest

from training.data.pictures import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_should_be_drawn_from_its_generator_alone(kind: str) -> None:
    pictures = [KINDS[kind](np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert np.array_equal(pictures[0], pictures[1])
    assert pictures[0].shape != pictures[2].shape or (pictures[0] != pictures[2]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_should_be_8_bit_with_contrast_and_no_thinner_than_one_to_two(kind: str) -> None:
    for seed in range(6):
        picture = KINDS[kind](np.random.default_rng(seed))
        assert picture.dtype == np.uint8
        assert picture.std() > 10
        assert max(picture.shape[:2]) <= 384
        assert min(picture.shape[:2]) * 2 >= max(picture.shape[:2])


def test_photographs_and_documents_should_have_colour_and_radiographs_none() -> None:
    coloured = {kind for kind, draw in KINDS.items() if draw(np.random.default_rng(0)).ndim == 3}
    assert coloured == {"natural", "document"}
