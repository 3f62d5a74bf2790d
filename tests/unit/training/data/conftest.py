from pathlib import Path

import pytest

from training.data.synthetic import draw_data_set


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic data set with every class in every split, which no test changes."""
    folder = tmp_path_factory.mktemp("data") / "synthetic"
    draw_data_set(folder, patients=17, seed=5)
    return folder
