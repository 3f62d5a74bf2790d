import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hilum.stack.marked import MARK, end_marked, find_marked, mark, wait_gone

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); input()"
WITH_CHILD = (
    "import subprocess; subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL); "
    "print(flush=True); input()"
)
ASK = "import sys, pathlib, hilum.stack.marked as m; print(m.find_marked(pathlib.Path(sys.argv[1])))"


def start(home: Path, service: str, program: str) -> subprocess.Popen[bytes]:
    """Start a marked program and wait until it has printed a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {MARK: mark(home, service)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    process.stdout.readline()
    return process


def close(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def test_finds_what_a_killed_process_left_and_ends_it(tmp_path: Path) -> None:
    process = start(tmp_path, "service", WITH_CHILD)
    close(process)
    (child,) = find_marked(tmp_path, "service")
    assert child != process.pid
    assert end_marked(tmp_path, "service")
    assert find_marked(tmp_path) == []
    assert not end_marked(tmp_path, "service")


def test_ends_the_stubborn_by_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hilum.stack.marked.STOP_TIMEOUT_S", 0.2)
    process = start(tmp_path, "service", STUBBORN)
    assert end_marked(tmp_path, "service")
    assert process.wait() == -signal.SIGKILL
    close(process)


def test_tells_services_and_homes_apart(tmp_path: Path) -> None:
    one, two = start(tmp_path, "one", WITH_CHILD), start(tmp_path, "one-more", WITH_CHILD)
    try:
        assert one.pid in find_marked(tmp_path, "one")
        assert two.pid not in find_marked(tmp_path, "one")
        assert {one.pid, two.pid} < set(find_marked(tmp_path))
        assert find_marked(tmp_path / "other") == []
        assert find_marked(tmp_path.parent) == []
        assert not wait_gone([one.pid], 0.1)
        assert not wait_gone([one.pid, two.pid], 0.1)
    finally:
        end_marked(tmp_path)
        close(one)
        close(two)


def test_never_finds_the_process_that_asks(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", ASK, tmp_path],
        env=os.environ | {MARK: mark(tmp_path, "service")},
        capture_output=True,
        check=True,
    )
    assert result.stdout == b"[]\n"


def test_a_process_that_was_not_collected_is_gone(tmp_path: Path) -> None:
    process = subprocess.Popen(["true"])
    assert wait_gone([process.pid], 10)
    assert process.wait() == 0
