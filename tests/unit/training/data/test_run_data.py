"""A data set as a training run sees it."""

import json
from pathlib import Path

import pytest

from training import tracking
from training.data.metadata import load_metadata
from training.data.run_data import load_run_data
from training.data.subset import SubsetConfig, draw_subset
from training.data.synthetic import draw_data_set
from training.errors import DataSetError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run_data") / "a set"
    draw_data_set(folder, 20, 0)
    return folder


def test_a_runs_own_data_are_internal(folder: Path) -> None:
    beside = load_run_data(folder, {tracking.DATA_DIGEST_TAG: load_metadata(folder).digest()})
    assert not beside.is_external
    assert beside.classes is None
    assert beside.place("test") == "test"


def test_the_part_that_a_recipe_drew_is_drawn_again(folder: Path) -> None:
    config = SubsetConfig(images_per_finding={"covid19": 2})
    drawn = draw_subset(load_metadata(folder), config)
    tags = {tracking.DATA_DIGEST_TAG: drawn.digest(), tracking.SUBSET_TAG: config.model_dump_json()}
    beside = load_run_data(folder, tags)
    assert not beside.is_external
    assert (beside.data.frame["finding"] == "covid19").sum() == 2


def test_other_data_are_external_and_whole(folder: Path) -> None:
    config = SubsetConfig(select={"no_such_column": ("x",)})
    tags = {
        tracking.DATA_DIGEST_TAG: "0" * 64,
        tracking.SUBSET_TAG: config.model_dump_json(),
        tracking.CLASSES_TAG: json.dumps({"other": ["no_finding"], "covid19": ["covid19"]}),
    }
    beside = load_run_data(folder, tags)
    assert beside.is_external
    assert len(beside.data.frame) == len(load_metadata(folder).frame)
    assert beside.place("test") == f"external/a_set-{beside.data.digest()[:8]}/test"
    assert beside.classes is not None
    assert list(beside.classes) == ["other", "covid19"]


def test_another_division_of_a_runs_own_data_is_refused(folder: Path) -> None:
    """A fold's test images may be what another division trains on."""
    data = load_metadata(folder)
    swapped = data.with_splits(data.frame["split"].map({"train": "test", "test": "train", "val": "val"}))
    assert swapped.digest() != data.digest()
    tags = {
        tracking.DATA_DIGEST_TAG: swapped.digest(),
        tracking.UNDIVIDED_DIGEST_TAG: swapped.undivided_digest(),
    }
    with pytest.raises(DataSetError, match="trained on another division"):
        load_run_data(folder, tags)
