import os
import stat
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from hilum.errors import HilumError, ServiceUnreachableError, UsageError
from hilum.stack.supervision import Supervisor


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


def test_a_long_home_gets_a_short_and_private_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("hilum.stack.supervision.MAX_SOCKET_PATH", 20)
    supervisor = Supervisor(tmp_path / "home")
    options = read(supervisor, supervisor.render(["one"], []))
    (server,) = options.server_configs
    folder = Path(server["file"]).parent
    assert folder.parent == tmp_path
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_socket_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("hilum.stack.supervision.MAX_SOCKET_PATH", 20)
    supervisor = Supervisor(tmp_path / "home")
    supervisor.render([], [])
    stranger = os.getuid() + 1
    (folder,) = tmp_path.glob("hilum-*")
    folder.rename(tmp_path / folder.name.replace(f"-{os.getuid()}-", f"-{stranger}-"))
    monkeypatch.setattr(os, "getuid", lambda: stranger)
    with pytest.raises(HilumError, match="HILUM_HOME"):
        supervisor.render([], [])


def test_nobody_there_says_how_to_start(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    assert not supervisor.is_running()
    with pytest.raises(ServiceUnreachableError, match="hilum up"):
        supervisor.processes()


def test_a_supervisor_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(HilumError, match=r"ended with status \d+: .*nonsense"):
        Supervisor(tmp_path).start("[supervisord]\nnodaemon = nonsense\n")
