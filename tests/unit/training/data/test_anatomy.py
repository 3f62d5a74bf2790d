import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hilum.contract import LABELS
from training.data.anatomy import draw_radiograph, sample_anatomy
from training.data.parallel import map_in_processes


def features(number: int) -> NDArray[np.float64]:
    """Return mean brightness and a 16 x 16 thumbnail of one film; its finding is `number` modulo 3."""
    film = draw_radiograph(np.random.default_rng([11, number]), LABELS[number % 3])
    small = np.asarray(Image.fromarray(film).resize((16, 16), Image.Resampling.BOX), dtype=float)
    return np.concatenate([[film.mean()], small.ravel()])


def brightness(film: NDArray[np.uint8], rows: tuple[float, float], columns: tuple[float, float]) -> float:
    """Return the median of a box given in shares of height and width."""
    height, width = film.shape
    top, bottom = (int(share * height) for share in rows)
    left, right = (int(share * width) for share in columns)
    return float(np.median(film[top:bottom, left:right]))


@pytest.mark.parametrize("finding", LABELS)
def test_a_film_should_be_gray_8_bit_and_follow_the_generator(finding: str) -> None:
    film = draw_radiograph(np.random.default_rng(1), finding)
    assert film.dtype == np.uint8
    assert film.ndim == 2
    assert 256 <= max(film.shape) <= 384
    assert np.array_equal(film, draw_radiograph(np.random.default_rng(1), finding))
    other = draw_radiograph(np.random.default_rng(2), finding)
    assert film.shape != other.shape or (film != other).any()


def test_lungs_should_be_darker_than_heart_and_belly() -> None:
    for seed in range(5):
        film = draw_radiograph(np.random.default_rng(seed), "no_finding")
        lung = brightness(film, (0.45, 0.60), (0.25, 0.32))
        heart = brightness(film, (0.60, 0.68), (0.48, 0.56))
        belly = brightness(film, (0.88, 0.94), (0.35, 0.65))
        assert lung + 40 < heart
        assert lung + 40 < belly


def test_films_of_one_patient_should_share_the_anatomy_but_not_the_pixels() -> None:
    rng = np.random.default_rng(4)
    anatomy = sample_anatomy(rng)
    films = [draw_radiograph(rng, "no_finding", anatomy) for _ in range(2)]
    assert films[0].shape != films[1].shape or (films[0] != films[1]).any()
    assert sample_anatomy(np.random.default_rng(4)) == anatomy


def test_findings_should_be_learnable_but_not_from_brightness() -> None:
    n_train, n_test = 360, 180
    table = np.stack(list(map_in_processes(features, range(n_train + n_test), "Drawing films")))
    labels = np.arange(len(table)) % 3

    def accuracy(columns: slice, penalty: float) -> float:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=1000))
        model.fit(table[:n_train, columns], labels[:n_train])
        predicted = model.predict(table[n_train:, columns])
        return float(balanced_accuracy_score(labels[n_train:], predicted))

    assert accuracy(slice(0, 1), 1.0) < 0.45  # chance is 0.33
    assert accuracy(slice(1, None), 0.003) > 0.65
