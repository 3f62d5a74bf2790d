import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from hilum.monitoring.programs import ALERTMANAGER
from hilum.monitoring.servers import (
    alertmanager_command,
    find_causes,
    prometheus_command,
    run_alertmanager,
    run_prometheus,
)
from hilum.settings import Settings
from tests.support.ports import free_ports


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation with both programs, under the names of Debian."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("prometheus", "prometheus-alertmanager"):
        (programs / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(programs))
    prometheus, alertmanager = free_ports(2)
    return Settings(
        home=tmp_path / "home",
        prometheus_port=prometheus,
        alertmanager_port=alertmanager,
        alert_webhook=SecretStr("https://example.org/secret"),
    )


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that this process would have become."""
    became: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _program, command: became.append(command))
    return became


def test_prometheus_keeps_a_bounded_past_at_home(settings: Settings) -> None:
    given = dict(
        option.partition("=")[::2] for option in prometheus_command(settings, Path("prometheus"))[1:]
    )
    assert given["--storage.tsdb.path"] == f"{settings.home}/prometheus/data"
    assert given["--storage.tsdb.retention.time"] == "30d"
    assert given["--storage.tsdb.retention.size"] == "1GB"
    assert given["--web.listen-address"] == f"127.0.0.1:{settings.prometheus_port}"


def test_alertmanager_looks_for_no_others(settings: Settings) -> None:
    assert "--cluster.listen-address=" in alertmanager_command(settings, Path("alertmanager"))


def test_prometheus_is_told_of_alertmanager(settings: Settings, commands: list[list[str]]) -> None:
    run_prometheus(settings)
    assert commands[0][0].endswith("/bin/prometheus")
    written = json.loads((settings.home / "prometheus" / "prometheus.yaml").read_text())
    assert written["alerting"]["alertmanagers"] == [
        {"static_configs": [{"targets": [f"127.0.0.1:{settings.alertmanager_port}"]}]}
    ]
    found = ALERTMANAGER.find()
    assert found
    found.unlink()
    run_prometheus(settings)
    written = json.loads((settings.home / "prometheus" / "prometheus.yaml").read_text())
    assert written["alerting"]["alertmanagers"] == []


def test_the_webhook_is_the_owners_secret(settings: Settings, commands: list[list[str]]) -> None:
    run_alertmanager(settings)
    path = settings.home / "alertmanager" / "alertmanager.yaml"
    assert "https://example.org/secret" in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    assert "secret" not in " ".join(commands[0])


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (
            "ts=1 caller=main.go:1 level=info msg=starting\n"
            'ts=2 caller=main.go:2 level=error msg="Error loading config" err="parsing \\"a\\": no scheme"\n'
            "ts=3 caller=main.go:3 level=info msg=bye\n",
            'Error loading config: parsing "a": no scheme',
        ),
        ("time=1 level=ERROR source=main.go:1 msg=fatal err=denied\n", "fatal: denied"),
        (
            "prometheus: error: unknown long flag '--nonsense'\n",
            "prometheus: error: unknown long flag '--nonsense'",
        ),
    ],
)
def test_the_last_error_is_the_cause(log: str, cause: str) -> None:
    assert find_causes(log) == [cause]


def test_an_empty_log_has_no_cause() -> None:
    assert find_causes("\n") == []
