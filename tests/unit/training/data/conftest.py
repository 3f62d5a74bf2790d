from pathlib import Path

import pytest

from training.data.synthetic import draw_data_set


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic data set that no test changes."""
    folder = tmp_path_factory.mktemp("data") / "synthetic"
    draw_data_set(folder, patients=24, seed=5)
    return folder
