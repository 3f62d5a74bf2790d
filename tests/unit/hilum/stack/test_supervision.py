import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from hilum.errors import HilumError, ServiceUnreachableError, UsageError
from hilum.stack.marked import find_marked, wait_gone
from hilum.stack.supervision import Supervisor

START = """
import sys, pathlib
from hilum.stack.supervision import Supervisor
supervisor = Supervisor(pathlib.Path(sys.argv[1]))
supervisor.start(supervisor.render([], []))
"""


def read(supervisor: Supervisor, text: str) -> ServerOptions:
    """Return a configuration as supervisor itself understands it."""
    (supervisor.home / "logs").mkdir(parents=True)
    supervisor.configuration.write_text(text)
    options = ServerOptions()
    options.realize(["-c", str(supervisor.configuration)])
    return options


@pytest.mark.parametrize("folder", ["home", "a; #1 'home'"])
def test_supervisor_understands_the_configuration(
    tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hilum.stack.supervision.MAX_SOCKET_PATH", 1000)
    supervisor = Supervisor(tmp_path / folder)
    options = read(supervisor, supervisor.render(["one", "two"], ["one: here", "two: there"]))
    programs = {
        config.name: config for group in options.process_group_configs for config in group.process_configs
    }
    assert list(programs) == ["one", "two"]
    assert programs["one"].command.endswith(" -m hilum.stack.supervised one")
    assert programs["one"].stdout_logfile == str(supervisor.home / "logs" / "one.log")
    assert programs["one"].stdout_logfile_maxbytes == 10 * 2**20
    assert programs["one"].autorestart
    (server,) = options.server_configs
    assert server["file"] == str(supervisor.home / "supervisor.sock")
    assert server["chmod"] == 0o700


def test_a_home_that_supervisor_cannot_bear_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="percent sign"):
        Supervisor(tmp_path / "50%").render([], [])


def test_other_addresses_are_another_configuration(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    assert supervisor.render(["one"], ["one: a"]) == supervisor.render(["one"], ["one: a"])
    assert supervisor.render(["one"], ["one: a"]) != supervisor.render(["one"], ["one: b"])


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files, with a short path."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setattr("tempfile.tempdir", folder)
        yield Path(folder)


@pytest.fixture
def distant(tmp_path: Path, temporary: Path) -> Supervisor:
    """A supervisor whose home's path is too long for a socket."""
    return Supervisor(tmp_path / ("long" * 30))


def test_a_long_home_gets_a_short_socket(distant: Supervisor, temporary: Path) -> None:
    (server,) = read(distant, distant.render(["one"], [])).server_configs
    folder = Path(server["file"]).parent
    assert folder.parent == temporary
    assert not folder.exists()  # naming it makes nothing


def test_the_socket_of_a_long_home_is_private_and_leaves_nothing(
    distant: Supervisor, temporary: Path
) -> None:
    # Another process starts it, as the command does: it outlives that, and is no child of the test's.
    environment = os.environ | {"TMPDIR": str(temporary)}
    subprocess.run([sys.executable, "-c", START, distant.home], env=environment, check=True)
    (folder,) = temporary.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert distant.processes() == {}
    (pid,) = find_marked(distant.home)
    os.kill(pid, signal.SIGKILL)
    assert wait_gone([pid], 10)
    assert not distant.is_running()
    distant.remove_socket()
    assert list(temporary.iterdir()) == []


def test_nowhere_is_short_enough(
    distant: Supervisor, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(temporary / ("long" * 30)))
    with pytest.raises(UsageError, match="shorter path"):
        distant.render([], [])


def test_a_socket_folder_of_another_user_is_refused(
    distant: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: stranger)
    (server,) = read(distant, distant.render([], [])).server_configs
    Path(server["file"]).parent.mkdir()
    with pytest.raises(HilumError, match="HILUM_HOME"):
        distant.is_running()


def test_nobody_there_says_how_to_start(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    assert not supervisor.is_running()
    with pytest.raises(ServiceUnreachableError, match="hilum up"):
        supervisor.processes()


def test_a_supervisor_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(HilumError, match=r"ended with status \d+: .*nonsense"):
        Supervisor(tmp_path).start("[supervisord]\nnodaemon = nonsense\n")
