import socket
import sys
from pathlib import Path

import pytest

from hilum import doctor
from hilum.doctor import (
    check_found,
    check_numpy,
    check_ports,
    check_python,
    check_space,
    diagnose,
)
from hilum.settings import Settings
from hilum.stack.services import local_services
from hilum.triton.errors import MissingTritonError
from tests.support.ports import free_ports


def settings(home: Path) -> Settings:
    http, grpc, metrics, mlflow, watch, prometheus, alertmanager, dashboard = free_ports(8)
    return Settings(
        home=home,
        http_port=http,
        grpc_port=grpc,
        metrics_port=metrics,
        mlflow_port=mlflow,
        watch_port=watch,
        prometheus_port=prometheus,
        alertmanager_port=alertmanager,
        dashboard_port=dashboard,
    )


def test_this_machine_is_fit_and_nothing_is_written(tmp_path: Path) -> None:
    checks = diagnose(settings(tmp_path / "home"))
    assert [check.check for check in checks if check.status == "fail"] == []
    assert all(bool(check.remedy) == (check.status != "ok") for check in checks)
    assert not (tmp_path / "home").exists()


def test_another_python_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_python().status == "ok"
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    assert check_python().status == "fail"


def test_numpy_2_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_numpy().status == "ok"
    monkeypatch.setattr(doctor, "version", lambda _: "2.3.1")
    found = check_numpy()
    assert found.status == "fail"
    assert found.found.startswith("2.3.1: ")
    assert found.remedy == "pip install 'numpy>=1.26,<2'"


def test_a_missing_part_says_what_and_how_to_get_it() -> None:
    def find() -> str:
        raise MissingTritonError("There is none. Install it.")

    check = check_found("part", find, "get part")
    assert (check.status, check.found, check.remedy) == ("fail", "There is none", "get part")


def test_little_space_warns(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"
    assert check_space("disk", folder, 1, "make room").status == "ok"
    check = check_space("disk", folder, 2**80, "make room")
    assert check.status == "warn"
    assert str(tmp_path) in check.found
    assert check.remedy == "make room"


def test_a_strangers_port_fails(tmp_path: Path) -> None:
    mlflow = local_services(chosen := settings(tmp_path))[0]
    assert [check.status for check in check_ports(mlflow, tmp_path)] == ["ok"]
    with socket.socket() as other:
        other.bind(("127.0.0.1", chosen.mlflow_port))
        other.listen()
        (check,) = check_ports(mlflow, tmp_path)
    assert (check.status, check.found) == ("fail", "used by another program")
    assert check.remedy == "export HILUM_MLFLOW_PORT=<a free port>"


def test_missing_monitoring_warns_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    checks = {check.check: check for check in diagnose(settings(tmp_path / "home"))}
    for name, package in (("prometheus", "prometheus"), ("alertmanager", "prometheus-alertmanager")):
        assert checks[name].status == "warn"
        assert checks[name].found.startswith("not installed: ")
        assert checks[name].remedy.startswith(f"sudo apt-get install --no-install-recommends {package} && ")


def test_a_missing_dashboard_warns_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hilum.stack.services.find_spec", lambda _: None)
    checks = {check.check: check for check in diagnose(settings(tmp_path / "home"))}
    assert checks["dashboard"].status == "warn"
    assert checks["dashboard"].remedy == "pip install 'hilum[dashboard]'"
