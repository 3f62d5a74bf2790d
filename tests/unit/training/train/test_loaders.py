"""The order of samples: the same steps and the same changes, however many processes and parts there are."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hilum.contract import CLASSIFIER
from training.data.cache import RadiographCache
from training.data.metadata import load_metadata
from training.data.samples import SampleTable, build_samples
from training.data.synthetic import draw_data_set
from training.train import loaders
from training.train.recipe import NetworkRecipe

RECIPE = NetworkRecipe.model_validate(
    {
        "backbone": {"name": "mobilenetv1_100", "channels": 1, "image_size_px": 32},
        "optimizer": {"learning_rate": 1e-3},
        "budget": {"epochs": 1},
        "augmentation": {"crop_area": [0.7, 1.0], "rotation_deg": 5, "horizontal_flip": 0.5},
        "batch_size": 8,
        "repeats": {"covid19": 2},
    }
)

Step = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> RadiographCache:
    return RadiographCache.open(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory, cache: RadiographCache) -> SampleTable:
    folder: Path = tmp_path_factory.mktemp("loaders") / "data"
    draw_data_set(folder, 30, 0)
    return build_samples(load_metadata(folder), cache, CLASSIFIER, "train")


def steps(
    table: SampleTable,
    cache: RadiographCache,
    monkeypatch: pytest.MonkeyPatch,
    *,
    process: int = 0,
    processes: int = 1,
    epoch: int = 0,
    accumulate: int = 1,
) -> list[Step]:
    """Return what one of several processes is fed in one epoch."""
    monkeypatch.setattr(loaders, "rank", lambda: process)
    monkeypatch.setattr(loaders, "world_size", lambda: processes)
    recipe = RECIPE.model_copy(update={"accumulate": accumulate})
    batches = loaders.training_batches(recipe, table, cache, seed=3, on_gpu=False)
    assert isinstance(batches.sampler, loaders.EpochOrder)
    batches.sampler.set_epoch(epoch)
    fed = list(batches)
    assert len(fed) == len(batches)
    return fed


def same_images(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Answer whether two batches hold the same images, in any order."""
    return sorted(image.numpy().tobytes() for image in one) == sorted(
        image.numpy().tobytes() for image in other
    )


def test_two_processes_share_the_steps_of_one(
    table: SampleTable, cache: RadiographCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = steps(table, cache, monkeypatch)
    pair = [steps(table, cache, monkeypatch, process=p, processes=2) for p in range(2)]
    assert len(alone) == len(pair[0]) == len(pair[1]) > 1
    for whole, *halves in zip(alone, *pair, strict=True):
        assert [len(half[1]) for half in halves] == [4, 4]
        assert same_images(whole[0], torch.cat([half[0] for half in halves]))


def test_parts_of_a_step_are_the_step(
    table: SampleTable, cache: RadiographCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = steps(table, cache, monkeypatch)
    parts = steps(table, cache, monkeypatch, accumulate=4)
    assert len(parts) == 4 * len(whole)
    for number, (images, targets, step_targets) in enumerate(whole):
        own = parts[4 * number : 4 * number + 4]
        assert torch.equal(torch.cat([part[0] for part in own]), images)
        assert torch.equal(torch.cat([part[1] for part in own]), targets)
        assert all(torch.equal(part[2], step_targets) for part in own)


def test_an_epoch_is_the_same_each_time_and_unlike_the_next(
    table: SampleTable, cache: RadiographCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(11)
    first = steps(table, cache, monkeypatch, epoch=1)
    torch.manual_seed(12)  # what else was drawn meanwhile does not matter
    again = steps(table, cache, monkeypatch, epoch=1)
    following = steps(table, cache, monkeypatch, epoch=2)
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one[0], other[0])
    assert not torch.equal(first[0][0], following[0][0])


def test_drawing_samples_leaves_the_random_state_alone(
    table: SampleTable, cache: RadiographCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    steps(table, cache, monkeypatch)
    # a loader draws one number for the seed of its workers
    torch.manual_seed(5)
    torch.empty((), dtype=torch.int64).random_()
    after_one = torch.rand(3)
    torch.manual_seed(5)
    list(loaders.training_batches(RECIPE, table, cache, seed=3, on_gpu=False))
    assert torch.equal(torch.rand(3), after_one)
    assert not torch.equal(expected, after_one)


def test_oversampled_copies_are_changed_differently(
    table: SampleTable, cache: RadiographCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed = steps(table, cache, monkeypatch)
    images = [image.numpy().tobytes() for step in fed for image in step[0]]
    assert len(set(images)) > 0.9 * len(images)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_each_validation_sample_is_in_one_share(
    processes: int, table: SampleTable, cache: RadiographCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaders, "world_size", lambda: processes)
    targets: list[int] = []
    for process in range(processes):
        monkeypatch.setattr(loaders, "rank", lambda process=process: process)
        share = loaders.validation_batches(RECIPE, table, cache, on_gpu=False)
        targets.extend(int(target) for _, batch in share for target in batch)
    np.testing.assert_array_equal(np.bincount(targets, minlength=3), table.class_counts())


def test_derived_seeds_differ_in_every_part() -> None:
    seeds = {loaders.derived_seed(a, b, c) for a in range(4) for b in range(4) for c in range(4)}
    assert len(seeds) == 64
    assert all(0 <= seed < 2**63 for seed in seeds)
