"""What a study is: its networks, their data and seeds, and the digest that it is found again by."""

from dataclasses import replace
from pathlib import Path

import pytest

from hilum.contract import FILTER
from tests.support.studies import divisible_data, tiny_study
from training.data.metadata import DataSet
from training.errors import DataSetError, RecipeError
from training.study.study import Division, described, with_options
from training.train.protocol import ProtocolConfig


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return divisible_data(tmp_path_factory.mktemp("data"))


def test_folds_of_each_repeat_come_one_after_the_other(data: DataSet) -> None:
    study = tiny_study(data, protocol=ProtocolConfig(name="crossval", folds=2, repeats=2))
    divisions = list(study.divisions())
    assert divisions == [Division(1, 1), Division(1, 2), Division(2, 1), Division(2, 2)]
    assert study.name_of(divisions[3]) == "repeat 2 of 2, fold 2 of 2"
    assert study.title == "tiny_family/plain classifier: 2 folds by patient, 2 times"
    once = tiny_study(data, protocol=ProtocolConfig(repeats=3))
    assert list(once.divisions()) == [Division(1, 1), Division(2, 1), Division(3, 1)]
    assert once.name_of(Division(2, 1)) == "repeat 2 of 3"


def test_each_network_tests_another_part_and_each_repeat_has_another_seed(data: DataSet) -> None:
    protocol = ProtocolConfig(name="crossval", folds=2, validation_share=0.4, repeats=2)
    study = tiny_study(data, protocol=protocol)
    jobs = [study.job(division) for division in study.divisions()]
    assert [job.seed for job in jobs] == [0, 0, 1, 1]
    tested = [set(job.data.frame.query("split == 'test'")["path"]) for job in jobs]
    assert not tested[0] & tested[1]
    assert tested[0] | tested[1] == set(data.frame["path"])
    assert len({job.key() for job in jobs}) == 4, "checkpoints of two networks would be mixed up"


def test_a_holdout_without_shares_keeps_the_split_and_with_shares_draws_one(data: DataSet) -> None:
    own = tiny_study(data, protocol=ProtocolConfig(repeats=2))
    assert own.job(Division(2, 1)).data is data
    drawn = tiny_study(data, protocol=ProtocolConfig(shares=(0.34, 0.33, 0.33), repeats=2))
    splits = [drawn.job(Division(repeat, 1)).data.frame["split"] for repeat in (1, 2)]
    assert not splits[0].equals(splits[1])


def test_seeds_wrap_around(data: DataSet) -> None:
    study = replace(tiny_study(data, protocol=ProtocolConfig(repeats=2)), seed=2**32 - 1)
    assert study.job(Division(2, 1)).seed == 0


def test_all_that_shapes_the_result_is_in_the_key(data: DataSet) -> None:
    study = tiny_study(data)
    others = (
        replace(study, seed=1),
        replace(study, max_minutes=1.0),
        replace(study, protocol=ProtocolConfig(name="crossval", folds=3)),
        replace(study, recipe=study.recipe.resolved(epochs=1, weights=None)),
        replace(study, data=DataSet(data.folder, data.frame.iloc[1:])),
        replace(study, model=FILTER),
    )
    assert len({study.key(), *(other.key() for other in others)}) == 7
    assert study.key() == replace(study, device="auto").key(), "a device does not shape the result"


def test_a_class_without_images_is_refused_before_anything_is_trained(data: DataSet) -> None:
    lacking = DataSet(data.folder, data.frame[data.frame["finding"] != "covid19"].reset_index(drop=True))
    protocol = ProtocolConfig(name="crossval", folds=2, validation_share=0.4)
    with pytest.raises(DataSetError, match="no image of class covid19"):
        tiny_study(lacking, protocol=protocol).job(Division(1, 1))


def test_options_replace_the_protocols_own() -> None:
    protocol = ProtocolConfig(name="crossval", folds=10, repeats=50)
    changed = with_options(protocol, folds=5, repeats=None)
    assert (changed.folds, changed.repeats) == (5, 50)
    with pytest.raises(RecipeError, match="folds"):
        with_options(protocol, folds=1)


@pytest.mark.parametrize(
    ("protocol", "text"),
    [
        (ProtocolConfig(name="crossval", folds=10), "10 folds by patient"),
        (ProtocolConfig(shares=(0.8, 0.1, 0.1), repeats=50), "hold-out 0.8 / 0.1 / 0.1 by patient, 50 times"),
        (ProtocolConfig(), "the data set's own split"),
    ],
)
def test_a_protocol_in_words(protocol: ProtocolConfig, text: str) -> None:
    assert described(protocol) == text


def test_the_folder_is_the_studys_own(data: DataSet, tmp_path: Path) -> None:
    study = tiny_study(data)
    assert study.folder(tmp_path) == tmp_path / "training" / f"study-{study.key()}"
