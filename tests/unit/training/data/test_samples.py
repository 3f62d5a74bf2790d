"""Which samples a network sees, and what the torch data set hands out."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from hilum.contract import CLASSIFIER, FILTER, LABELS
from training.data.cache import RadiographCache
from training.data.metadata import DataSet, load_metadata
from training.data.samples import RANDOM_TURN, ROTATED, RadiographSamples, build_samples
from training.data.synthetic import draw_data_set


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    folder = tmp_path_factory.mktemp("samples") / "data"
    draw_data_set(folder, 30, 0)
    return load_metadata(folder)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> RadiographCache:
    return RadiographCache.open(tmp_path_factory.mktemp("cache"))


def test_classifier_sees_the_frontal_films_with_a_finding(data: DataSet, cache: RadiographCache) -> None:
    table = build_samples(data, cache, CLASSIFIER, "train")
    assert table.labels == LABELS
    assert set(table.frame["kind"]) == {"frontal_cxr"}
    assert table.class_counts() == [int((table.frame["finding"] == label).sum()) for label in LABELS]


def test_filter_sees_a_turned_copy_of_each_valid_image(data: DataSet, cache: RadiographCache) -> None:
    frame = build_samples(data, cache, FILTER, "val").frame
    turned = frame[frame["kind"] == ROTATED]
    assert sorted(turned["path"]) == sorted(frame.loc[frame["label"] == "valid", "path"])
    assert set(turned["label"]) == {"non_valid"}
    assert set(turned["turns"]) <= {1, 2, 3}


def test_turns_in_evaluation_follow_from_the_image(data: DataSet, cache: RadiographCache) -> None:
    first, second = (build_samples(data, cache, FILTER, "test").frame for _ in range(2))
    assert first["turns"].tolist() == second["turns"].tolist()
    training = build_samples(data, cache, FILTER, "train", random_turns=True).frame
    assert set(training.loc[training["kind"] == ROTATED, "turns"]) == {RANDOM_TURN}


def test_a_turned_sample_is_the_image_turned(data: DataSet, cache: RadiographCache) -> None:
    table = build_samples(data, cache, FILTER, "val")
    samples = RadiographSamples(table, cache)
    row = table.frame.index[table.frame["kind"] == ROTATED][0]
    image, target = samples[row]
    turns = int(table.frame["turns"][row])
    stored = cache.get(table.frame["digest"][row])
    np.testing.assert_array_equal(np.rot90(image.numpy(), -turns, axes=(1, 2)), stored)
    assert target == table.labels.index("non_valid")


def test_random_turns_never_leave_the_image_upright(data: DataSet, cache: RadiographCache) -> None:
    table = build_samples(data, cache, FILTER, "train", random_turns=True)
    samples = RadiographSamples(table, cache)
    row = table.frame.index[table.frame["kind"] == ROTATED][0]
    upright = torch.from_numpy(np.array(cache.get(table.frame["digest"][row])))
    assert not any(torch.equal(samples[row][0], upright) for _ in range(20))


def test_oversampling_repeats_only_the_named_class(data: DataSet, cache: RadiographCache) -> None:
    table = build_samples(data, cache, CLASSIFIER, "train")
    counts = table.class_counts()
    assert table.repeated({"covid19": 3}).class_counts() == [counts[0], counts[1], 3 * counts[2]]


def test_samples_travel_to_worker_processes(data: DataSet, cache: RadiographCache) -> None:
    samples = RadiographSamples(build_samples(data, cache, CLASSIFIER, "val"), cache)
    copy = pickle.loads(pickle.dumps(samples))
    assert torch.equal(copy[0][0], samples[0][0])


def test_the_cache_is_enough_once_filled(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    draw_data_set(folder, 15, 1)
    data, cache = load_metadata(folder), RadiographCache.open(tmp_path / "cache")
    samples = RadiographSamples(build_samples(data, cache, CLASSIFIER, "train"), cache)
    before = samples[0][0]
    for path in (folder / "images").rglob("*.jpg"):
        path.unlink()
    assert torch.equal(samples[0][0], before)
