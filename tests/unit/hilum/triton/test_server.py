import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hilum.errors import UsageError
from hilum.settings import ADMIN_KEY_NAME, Settings
from hilum.tls import ServerTlsFiles
from hilum.triton.addresses import TritonAddresses
from hilum.triton.installation import find_triton
from hilum.triton.server import SHARED_MEMORY, TritonServer
from tests.support.certificates import Authority
from tests.support.ports import free_ports


@pytest.fixture
def server(tmp_path: Path) -> TritonServer:
    http, grpc, metrics = free_ports(3)
    (tmp_path / "models").mkdir()
    return TritonServer(
        repository=tmp_path / "models",
        home=tmp_path / "home",
        admin_key="secret",
        addresses=TritonAddresses(host="127.0.0.1", http_port=http, grpc_port=grpc, metrics_port=metrics),
    )


def options(server: TritonServer) -> dict[str, str]:
    command = server.command(find_triton())
    return dict(option.partition("=")[::2] for option in command[1:])


def test_listens_where_it_should_only(server: TritonServer) -> None:
    given = options(server)
    for service in ("http", "grpc", "metrics"):
        assert given[f"--{service}-address"] == "127.0.0.1"
        assert given[f"--{service}-port"] == str(getattr(server.addresses, f"{service}_port"))


def test_loads_everything_and_guesses_nothing(server: TritonServer) -> None:
    given = options(server)
    assert given["--model-control-mode"] == "explicit"
    assert given["--load-model"] == "*"
    assert "--disable-auto-complete-config" in given
    assert given["--strict-readiness"] == given["--exit-on-error"] == "true"


def test_restricts_admin_calls_but_not_what_clients_need(server: TritonServer) -> None:
    given = options(server)
    for option in ("--http-restricted-api", "--grpc-restricted-protocol"):
        apis, _, key = given[option].partition(":")
        assert set(apis.split(",")) == {
            "model-repository",
            "shared-memory",
            "statistics",
            "trace",
            "logging",
        }
        assert key == f"{ADMIN_KEY_NAME}=secret"


def test_encrypts_nothing_unless_it_is_said(server: TritonServer) -> None:
    assert not [name for name in options(server) if "ssl" in name or "cert" in name]


def test_encrypts_with_what_it_is_given(server: TritonServer, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    files = authority.server()
    one_way = options(replace(server, tls=files))
    assert one_way["--grpc-use-ssl"] == "true"
    assert one_way["--grpc-server-cert"] == str(files.certificate)
    assert one_way["--grpc-server-key"] == str(files.key)
    assert "--grpc-use-ssl-mutual" not in one_way
    mutual = options(replace(server, tls=replace(files, client_ca=authority.file)))
    assert mutual["--grpc-use-ssl"] == mutual["--grpc-use-ssl-mutual"] == "true"
    assert mutual["--grpc-root-cert"] == str(authority.file)


def test_names_files_so_that_its_folder_does_not_matter(
    server: TritonServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = options(replace(server, tls=ServerTlsFiles(certificate=Path("a.pem"), key=Path("a.key"))))
    assert given["--grpc-server-cert"] == str(tmp_path / "a.pem")


def test_does_not_start_with_a_key_of_another_certificate(server: TritonServer, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    one, other = authority.issue("one", "localhost"), authority.issue("other", "localhost")
    with pytest.raises(UsageError, match="belongs to another certificate"):
        replace(server, tls=ServerTlsFiles(certificate=one.certificate, key=other.key)).prepare()


def test_no_path_of_the_users_reaches_the_command_line(server: TritonServer, tmp_path: Path) -> None:
    assert all(str(tmp_path) not in value for value in options(server).values())


def test_environment_finds_this_python_and_keeps_the_callers(
    server: TritonServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/callers/own")
    monkeypatch.setenv("CALLERS_OWN", "kept")
    environment = server.environment(find_triton())
    programs = environment["PATH"].split(os.pathsep)
    assert programs[0] == str(Path(sys.executable).parent)
    assert (Path(programs[0]) / "python3").exists()
    libraries = environment["LD_LIBRARY_PATH"].split(os.pathsep)
    assert libraries[0] == str(find_triton().libraries)
    assert libraries[-1] == "/callers/own"
    assert environment["CALLERS_OWN"] == "kept"
    assert environment["OMP_NUM_THREADS"] == "1"


def test_prepares_its_folder_again_and_again(server: TritonServer, tmp_path: Path) -> None:
    server.prepare()
    (server.folder / "backends" / "python" / "libtriton_python.so").write_bytes(b"half a copy")
    (server.folder / "repository").unlink()
    (server.folder / "repository").symlink_to(tmp_path)
    server.prepare()
    assert (server.folder / "repository").resolve() == server.repository
    assert (server.folder / "backends" / "onnxruntime" / "model.py").is_file()
    installed = find_triton()
    for source in (installed.python_backend / "libtriton_python.so", installed.stub):
        copy = server.folder / "backends" / "python" / source.name
        assert not copy.is_symlink()
        assert copy.read_bytes() == source.read_bytes()
        assert copy.stat().st_mode & 0o111
    names = {path.name for path in server.folder.iterdir()}
    assert names == {"repository", "backends"}  # a model.py here would shadow a model's own


def test_frees_its_own_shared_memory_only(server: TritonServer) -> None:
    own = SHARED_MEMORY / f"{server._memory_prefix}left"
    other = SHARED_MEMORY / f"hilum-test-{os.getpid()}"
    own.touch()
    other.touch()
    try:
        server.free_shared_memory()
        assert not own.exists()
        assert other.exists()
    finally:
        other.unlink()


def test_settings_make_the_server(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, http_port=1, grpc_port=2, metrics_port=3)
    server = TritonServer.from_settings(settings, tmp_path / "models")
    assert server.admin_key == settings.read_admin_key()
    assert server.folder == tmp_path / "triton" / "1"
    assert server.repository == tmp_path / "models"
