"""What is kept of an unfinished study is whole or absent, and comes back exactly."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.predictions import synthetic_predictions
from tests.support.studies import fold_parts
from training.errors import DataSetError
from training.study.record import Record, load_parts, parts_frame
from training.study.study import Division


def test_a_network_is_done_only_when_trained_and_tested(tmp_path: Path) -> None:
    record = Record(tmp_path, Division(2, 3))
    assert (record.read_run(), record.read_part()) == (None, None)
    record.write_run("abc")
    assert (record.read_run(), record.read_part()) == ("abc", None)
    predictions = synthetic_predictions(n_images=30)
    record.write_predictions(predictions)
    part = record.read_part()
    assert part is not None
    assert (part.division, part.run_id) == (Division(2, 3), "abc")
    assert np.array_equal(part.predictions.probabilities, predictions.probabilities), "to the last bit"
    assert Record(tmp_path, Division(3, 2)).read_part() is None


def test_predictions_without_a_run_are_not_taken(tmp_path: Path) -> None:
    record = Record(tmp_path, Division(1, 1))
    record.write_predictions(synthetic_predictions(n_images=30))
    assert record.read_part() is None


def test_all_networks_come_back_from_one_table(tmp_path: Path) -> None:
    parts = fold_parts(synthetic_predictions(n_images=90), 4)
    path = tmp_path / "predictions.csv"
    parts_frame(parts).to_csv(path, index=False)
    for stored, part in zip(load_parts(path), parts, strict=True):
        assert (stored.division, stored.run_id) == (part.division, part.run_id)
        assert np.array_equal(stored.predictions.truth, part.predictions.truth)
        assert np.array_equal(stored.predictions.decided, part.predictions.decided)
        assert np.array_equal(stored.predictions.probabilities, part.predictions.probabilities)
        assert (
            stored.predictions.frame["patient_id"].tolist() == part.predictions.frame["patient_id"].tolist()
        )


def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataSetError, match="no table of predictions"):
        load_parts(path)
