"""One rollout at a time, and no lock that outlives its process."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from training.errors import RolloutError
from training.promote.lock import repository_lock

HOLD_AND_DIE = """
import os, sys
from pathlib import Path
from training.promote.lock import repository_lock
with repository_lock(Path(sys.argv[1])):
    os._exit(9)
"""


def test_a_second_writer_is_refused_after_its_wait(tmp_path: Path) -> None:
    live = tmp_path / "home" / "model_repository"
    with (
        repository_lock(live),
        pytest.raises(RolloutError, match=r"Another rollout has been writing .* for 0\.1 s"),
        repository_lock(live, wait_s=0.1),
    ):
        pass
    with repository_lock(live, wait_s=0.0):
        pass


def test_a_second_writer_waits_for_the_first(tmp_path: Path) -> None:
    live = tmp_path / "model_repository"
    turns: list[str] = []
    began = threading.Event()

    def write() -> None:
        began.set()
        with repository_lock(live):
            turns.append("second")

    with repository_lock(live):
        thread = threading.Thread(target=write)
        thread.start()
        began.wait()
        turns.append("first")
    thread.join()
    assert turns == ["first", "second"]


def test_a_killed_writer_leaves_no_lock(tmp_path: Path) -> None:
    live = tmp_path / "model_repository"
    killed = subprocess.run([sys.executable, "-c", HOLD_AND_DIE, str(live)], check=False)
    assert killed.returncode == 9
    with repository_lock(live):
        pass


def test_the_lock_lies_outside_the_repository(tmp_path: Path) -> None:
    live = tmp_path / "model_repository"
    live.mkdir()
    with repository_lock(live):
        assert list(live.iterdir()) == []
