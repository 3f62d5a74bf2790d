from pathlib import Path

import numpy as np
import pytest

from hilum.radiograph import decode_radiograph
from tests.support.gate_data import write_gate_data
from training import tracking
from training.data.metadata import load_metadata
from training.errors import DataSetError
from training.promote.gate.cases import GateCases, load_cases


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_gate_data(tmp_path / "data", per_label=2, dark=3)


@pytest.fixture
def cases(data: Path, tmp_path: Path) -> GateCases:
    return load_cases(data, tmp_path / "home", set())


def test_the_test_split_is_sent_and_each_valid_radiograph_once_more_turned(cases: GateCases) -> None:
    frame = cases.table.frame
    assert len(cases) == 2 * 3 + 3 + 2 * 3
    assert list(frame["label"]).count("valid") == 6
    assert all("test-" in path for path in frame["path"])
    assert cases.is_classified.sum() == 6


def test_stored_files_are_sent_as_they_lie_and_turned_ones_decode_to_the_turned_radiograph(
    cases: GateCases, data: Path
) -> None:
    turned = [index for index, turns in enumerate(cases.table.frame["turns"]) if turns]
    assert len(turned) == 6
    for index in turned:
        stored = (data / cases.name(index)).read_bytes()
        turns = int(cases.table.frame["turns"].iloc[index])
        expected = np.rot90(decode_radiograph(stored), turns, axes=(1, 2))
        np.testing.assert_array_equal(decode_radiograph(cases.file(index)), expected)
    assert cases.file(0) == (data / cases.name(0)).read_bytes()


def test_networks_of_another_division_of_the_same_data_are_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = load_metadata(data)
    tags = {
        "same": {
            tracking.DATA_DIGEST_TAG: known.digest(),
            tracking.UNDIVIDED_DIGEST_TAG: known.undivided_digest(),
        },
        "fold": {
            tracking.DATA_DIGEST_TAG: "ab" * 32,
            tracking.UNDIVIDED_DIGEST_TAG: known.undivided_digest(),
        },
        "other": {},
    }
    monkeypatch.setattr(tracking, "run_tags", tags.__getitem__)
    assert len(load_cases(data, tmp_path / "home", {"same", "other"})) == 15
    with pytest.raises(DataSetError, match="Run fold was trained on another division"):
        load_cases(data, tmp_path / "home", {"same", "fold"})
