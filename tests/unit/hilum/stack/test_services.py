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
        home=tmp_path / "home", http_port=1, grpc_port=2, metrics_port=3, mlflow_port=4, watch_port=5
    )


def test_services_answer_where_the_settings_say(settings: Settings) -> None:
    services = {service.name: service for service in local_services(settings)}
    assert services["mlflow"].address == settings.mlflow_address == "http://127.0.0.1:4"
    assert services["triton"].address == settings.triton_address == "127.0.0.1:2"
    assert services["rollout"].address == "http://127.0.0.1:5"
    assert [port.number for service in services.values() for port in service.ports] == [4, 1, 2, 3, 5]


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
