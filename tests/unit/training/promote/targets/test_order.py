"""What a configuration names is copied before it and removed after it."""

from pathlib import Path

import pytest

from hilum.contract import CHALLENGER_SCREENING, SCREENING
from tests.support.toy_release import toy_release, write_toy_repository
from training.promote.targets.order import is_served, removal_order, repository_files


@pytest.fixture
def live(tmp_path: Path) -> Path:
    folder = write_toy_repository(tmp_path / "live", toy_release(), tmp_path / "scratch")
    (folder / CHALLENGER_SCREENING / "2").mkdir(parents=True)
    (folder / CHALLENGER_SCREENING / "2" / ".gitkeep").touch()
    (folder / CHALLENGER_SCREENING / "config.pbtxt").touch()
    return folder


def test_configurations_come_last_and_the_front_doors_last_of_all(live: Path) -> None:
    names = repository_files(live)
    configs = [name for name in names if name.endswith("config.pbtxt")]
    assert names[-len(configs) :] == configs
    assert configs[-2:] == [f"{CHALLENGER_SCREENING}/config.pbtxt", f"{SCREENING}/config.pbtxt"]
    assert set(names) == {str(path.relative_to(live)) for path in live.rglob("*") if path.is_file()}


def test_what_a_writer_has_not_finished_is_left_out(live: Path) -> None:
    before = repository_files(live)
    (live / SCREENING / ".config.pbtxt.abc").touch()
    (live / SCREENING / ".7.dropped").mkdir()
    (live / SCREENING / ".7.dropped" / "model.onnx").touch()
    (live / "README.md").touch()
    assert repository_files(live) == before


def test_removal_goes_the_other_way_round(live: Path) -> None:
    names = repository_files(live)
    assert removal_order(reversed(names)) == names[::-1]


@pytest.mark.parametrize("name", ["notes.txt", "somebodys_model/config.pbtxt", SCREENING, ".rollout-lease"])
def test_what_is_somebody_elses_is_not_served(name: str) -> None:
    assert not is_served(name)
    assert is_served(f"{SCREENING}/config.pbtxt")
