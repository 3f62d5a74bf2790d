import socket
from fnmatch import fnmatch
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from hilum.settings import Settings
from hilum.stack.services import (
    find_python_causes,
    local_services,
    mlflow_command,
    mlflow_environment,
    run_rollout,
)
from tests.support.ports import free_ports


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        home=tmp_path / "home",
        http_port=1,
        grpc_port=2,
        metrics_port=3,
        mlflow_port=4,
        watch_port=5,
        prometheus_port=6,
        alertmanager_port=7,
        dashboard_port=8,
    )


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are looked for."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch(mode=0o755)


def test_services_answer_where_the_settings_say(settings: Settings, installed: Path) -> None:
    install(installed, "prometheus", "prometheus-alertmanager")
    services = {service.name: service for service in local_services(settings)}
    assert services["mlflow"].address == settings.mlflow_address == "http://127.0.0.1:4"
    assert services["triton"].address == settings.triton_address == "127.0.0.1:2"
    assert services["rollout"].address == "http://127.0.0.1:5"
    assert services["prometheus"].health_url == "http://127.0.0.1:6/-/ready"
    assert services["alertmanager"].health_url == "http://127.0.0.1:7/-/ready"
    ports = [port.number for service in services.values() for port in service.ports]
    assert ports == [4, 1, 2, 3, 5, 6, 7, 8]
    assert services["dashboard"].health_url == "http://127.0.0.1:8/_stcore/health"


@pytest.mark.parametrize(
    ("programs", "names"),
    [
        ([], []),
        (["prometheus"], ["prometheus"]),
        (["prometheus", "alertmanager"], ["prometheus", "alertmanager"]),
        (["prometheus-alertmanager"], []),  # nothing would give it alerts
    ],
)
def test_the_stack_monitors_itself_with_what_is_installed(
    settings: Settings, installed: Path, programs: list[str], names: list[str]
) -> None:
    install(installed, *programs)
    found = [service.name for service in local_services(settings)]
    assert found == ["mlflow", "triton", "rollout", *names, "dashboard"]


def test_the_stack_goes_without_a_dashboard_that_is_not_installed(
    settings: Settings, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert installed.is_dir()
    monkeypatch.setattr("hilum.stack.services.find_spec", lambda _: None)
    assert [service.name for service in local_services(settings)] == ["mlflow", "triton", "rollout"]


def test_naming_the_services_writes_nothing(settings: Settings) -> None:
    local_services(settings)
    assert not settings.home.exists()


def test_mlflow_keeps_everything_at_home(settings: Settings) -> None:
    given = dict(option.partition("=")[::2] for option in mlflow_command(settings)[4:])
    assert given == {
        "--host": "127.0.0.1",
        "--port": "4",
        "--workers": "1",
        "--backend-store-uri": f"sqlite:///{settings.home}/mlflow.db",
        "--artifacts-destination": f"{settings.home}/artifacts",
    }


def test_mlflow_calls_nobody(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    monkeypatch.setenv("CALLERS_OWN", "kept")
    environment = mlflow_environment(settings)
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert environment["CALLERS_OWN"] == "kept"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "mlflow.ward.example"])
def test_mlflow_may_be_asked_by_the_names_of_this_machine(tmp_path: Path, host: str) -> None:
    given = mlflow_environment(Settings(home=tmp_path, host=host, mlflow_port=4))
    hosts = given["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert {f"{name}:4" for name in (host, socket.gethostname(), "localhost", "127.0.0.1")} <= set(hosts)
    for name, is_allowed in (
        ("10.1.2.3:4", True),
        ("172.31.0.9:4", True),
        ("172.32.0.1:4", False),
        ("192.168.0.7:4", True),
        ("192.168.0.7:5", False),
        ("10.rebound.example:4", False),
    ):
        assert any(fnmatch(name, pattern) for pattern in hosts) is is_allowed, name
    assert f"http://{socket.gethostname()}:4" in given["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"].split(",")


def test_further_names_of_mlflow_are_the_callers_choice(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SERVER_ALLOWED_HOSTS", "mlflow.example")
    assert mlflow_environment(settings)["MLFLOW_SERVER_ALLOWED_HOSTS"] == "mlflow.example"


def test_mlflow_keeps_webhook_secrets_over_a_restart(settings: Settings) -> None:
    first, second = (mlflow_environment(settings)["MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"] for _ in range(2))
    assert first == second
    assert Fernet(first).decrypt(Fernet(second).encrypt(b"secret")) == b"secret"
    assert (settings.home / "mlflow-webhook-key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("uri", ["", "http://registry.example"])
def test_only_the_local_mlflow_is_asked_to_call_the_watcher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _program, command: commands.append(command))
    run_rollout(Settings(home=tmp_path, watch_port=free_ports(1)[0], mlflow_uri=uri))
    assert commands[0][1:5] == ["-m", "hilum", "rollout", "watch"]
    assert ("--register-webhook" in commands[0]) == (uri == "")


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (
            'Traceback (most recent call last):\n  File "a.py", line 1\nsqlite3.DatabaseError: malformed\n'
            "INFO: bye\n",
            "sqlite3.DatabaseError: malformed",
        ),
        ("Error: MLflow needs port 5000.\n", "MLflow needs port 5000."),
        ("ValueError: first\nThe above exception was the cause\nOSError: last\n", "OSError: last"),
        ("listening\n\nbye\n\n", "bye"),
    ],
)
def test_a_python_servers_last_exception_is_the_cause(log: str, cause: str) -> None:
    assert find_python_causes(log) == [cause]


def test_an_empty_log_has_no_cause() -> None:
    assert find_python_causes("\n") == []
