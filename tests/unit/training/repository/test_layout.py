"""The model repository on disk: what appears, appears whole."""

from pathlib import Path

import pytest

from hilum.contract import CHALLENGER_SCREENING, CLASSIFIER, DECODE, FILTER, MODELS, MONITOR, SCREENING
from tests.support.toy_models import toy_filter
from tests.support.toy_release import save_onnx, toy_release, write_toy_repository
from training.errors import RepositoryError
from training.repository.layout import (
    PACKAGED,
    add_front_door,
    drop_unlisted_versions,
    has_versions,
    listed_versions,
    move_models,
    move_versions,
    remove_models,
    render_configs,
    write_config,
    write_lineup,
    write_repository,
)
from training.repository.lint import lint_repository
from training.repository.served_release import Lineup

TOYS = Lineup(champion=toy_release())


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_repository_is_complete_and_can_be_loaded(tmp_path: Path) -> None:
    live = write_toy_repository(tmp_path / "live", toy_release(3, filter_version=5), tmp_path)
    assert lint_repository(live) == []
    assert sorted(path.name for path in live.iterdir()) == sorted(MODELS)
    assert (live / FILTER / "5" / "model.onnx").read_bytes() == (tmp_path / "filter.onnx").read_bytes()
    assert (live / MONITOR / "3" / "model.py").read_bytes() == (
        PACKAGED / MONITOR / "1" / "model.py"
    ).read_bytes()
    assert (live / SCREENING / "3").is_dir()
    assert (live / FILTER / "5").stat().st_mode & 0o777 == 0o755


def test_a_repository_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    live = write_toy_repository(tmp_path / "live", toy_release(1), tmp_path)
    before = tree(live)
    with pytest.raises(RepositoryError, match="hilum rollout"):
        write_toy_repository(live, toy_release(2), tmp_path)
    assert tree(live) == before


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    filter_onnx = save_onnx(toy_filter(), tmp_path / "networks" / "filter.onnx")
    with pytest.raises(FileNotFoundError):
        write_repository(
            tmp_path / "live",
            toy_release(),
            filter_onnx=filter_onnx,
            classifier_onnx=tmp_path / "missing.onnx",
        )
    assert [path.name for path in tmp_path.iterdir()] == ["networks"]


def test_moved_versions_are_there_but_not_listed(tmp_path: Path) -> None:
    live = write_toy_repository(tmp_path / "live", toy_release(1), tmp_path)
    new = toy_release(2, filter_version=2, classifier_version=2)
    draft = write_toy_repository(tmp_path / "draft", new, tmp_path)
    assert not has_versions(live, new)
    assert move_versions(draft, live, Lineup(champion=new), may_repair=False) == set()
    assert has_versions(live, new)
    assert {model: listed_versions(live, model) for model in MODELS} == {model: [1] for model in MODELS}


def test_another_network_under_a_version_that_is_there_is_refused(tmp_path: Path) -> None:
    live = write_toy_repository(tmp_path / "live", toy_release(), tmp_path)
    before = tree(live)
    write_repository(
        tmp_path / "draft",
        toy_release(),
        filter_onnx=save_onnx(toy_filter(threshold=0.9), tmp_path / "other.onnx"),
        classifier_onnx=tmp_path / "classifier.onnx",
    )
    with pytest.raises(RepositoryError, match=r"version 1 of xray_filter .* from another registry"):
        move_versions(tmp_path / "draft", live, TOYS, may_repair=False)
    assert tree(live) == before
    assert move_versions(tmp_path / "draft", live, TOYS, may_repair=True) == {FILTER}
    assert (live / FILTER / "1" / "model.onnx").read_bytes() == (tmp_path / "other.onnx").read_bytes()


def test_a_python_model_of_another_hilum_is_replaced(tmp_path: Path) -> None:
    live = write_toy_repository(tmp_path / "live", toy_release(), tmp_path)
    draft = write_toy_repository(tmp_path / "draft", toy_release(), tmp_path)
    model = live / DECODE / "1" / "model.py"
    model.write_text("# older")
    assert move_versions(draft, live, TOYS, may_repair=False) == {DECODE}
    assert model.read_bytes() == (PACKAGED / DECODE / "1" / "model.py").read_bytes()


def test_a_version_folder_that_somebody_emptied_is_made_again(tmp_path: Path) -> None:
    live = write_toy_repository(tmp_path / "live", toy_release(), tmp_path)
    draft = write_toy_repository(tmp_path / "draft", toy_release(), tmp_path)
    (live / CLASSIFIER / "1" / "model.onnx").unlink()
    move_versions(draft, live, TOYS, may_repair=False)
    drop_unlisted_versions(live)
    assert lint_repository(live) == []


def test_the_reference_sample_lies_beside_its_monitor_and_is_renewed(tmp_path: Path) -> None:
    both = Lineup(champion=toy_release(1), challenger=toy_release(2))
    write_toy_repository(tmp_path / "toys", toy_release(), tmp_path)
    networks = {(FILTER, 1): tmp_path / "filter.onnx", (CLASSIFIER, 1): tmp_path / "classifier.onnx"}
    for name in ("live", "draft"):
        write_lineup(tmp_path / name, both, networks=networks, references={1: b"{}"})
    live, draft = tmp_path / "live", tmp_path / "draft"
    files = sorted(str(path.relative_to(live)) for path in live.rglob("reference.json"))
    assert files == ["xray_monitor/1/reference.json"]
    assert lint_repository(live) == []
    expected = tree(live)
    reference = live / MONITOR / "1" / "reference.json"
    reference.write_text("torn")
    assert move_versions(draft, live, both, may_repair=False) == {MONITOR}
    assert tree(live) == expected


def test_whole_models_replace_what_is_there(tmp_path: Path) -> None:
    live = write_toy_repository(tmp_path / "live", toy_release(1, filter_version=4), tmp_path)
    draft = write_toy_repository(tmp_path / "draft", toy_release(2, filter_version=5), tmp_path)
    expected = tree(draft)
    move_models(draft, live)
    assert tree(live) == expected


def test_unlisted_versions_and_leftovers_go_and_listed_and_kept_ones_stay(tmp_path: Path) -> None:
    live = write_toy_repository(tmp_path / "live", toy_release(1), tmp_path)
    before = tree(live)
    for number in (2, 3):
        new = toy_release(number, filter_version=number, classifier_version=number)
        draft = write_toy_repository(tmp_path / f"draft{number}", new, tmp_path)
        move_versions(draft, live, Lineup(champion=new), may_repair=False)
    (live / FILTER / ".7.killed").mkdir()
    (live / FILTER / ".config.pbtxt.killed").write_text("half")
    kept = Lineup(champion=toy_release(3, filter_version=3, classifier_version=3))
    drop_unlisted_versions(live, keep=[kept])
    assert sorted(path.name for path in (live / FILTER).iterdir()) == ["1", "3", "config.pbtxt"]
    assert sorted(path.name for path in (live / DECODE).iterdir()) == ["1", "config.pbtxt"]
    drop_unlisted_versions(live)
    assert tree(live) == before


def test_a_second_front_door_comes_and_goes_whole(tmp_path: Path) -> None:
    live = write_toy_repository(tmp_path / "live", toy_release(1), tmp_path)
    before = tree(live)
    both = Lineup(champion=toy_release(1), challenger=toy_release(2))
    networks = {(FILTER, 1): tmp_path / "filter.onnx", (CLASSIFIER, 1): tmp_path / "classifier.onnx"}
    write_lineup(tmp_path / "draft", both, networks=networks)
    expected = tree(tmp_path / "draft")
    assert lint_repository(tmp_path / "draft") == []
    move_versions(tmp_path / "draft", live, both, may_repair=False)
    assert not (live / CHALLENGER_SCREENING).exists()
    configs = render_configs(both)
    write_config(live, MONITOR, configs[MONITOR])
    add_front_door(live, CHALLENGER_SCREENING, 2, configs[CHALLENGER_SCREENING], tmp_path / "scratch")
    assert lint_repository(live) == []
    assert tree(live) == expected
    remove_models(live, tmp_path / "bin", [CHALLENGER_SCREENING])
    write_config(live, MONITOR, render_configs(Lineup(champion=toy_release(1)))[MONITOR])
    drop_unlisted_versions(live)
    assert tree(live) == before


def test_a_configuration_is_written_only_where_it_differs(tmp_path: Path) -> None:
    assert write_config(tmp_path, FILTER, b"one")
    assert not write_config(tmp_path, FILTER, b"one")
    assert write_config(tmp_path, FILTER, b"two")
    assert (tmp_path / FILTER / "config.pbtxt").read_bytes() == b"two"
