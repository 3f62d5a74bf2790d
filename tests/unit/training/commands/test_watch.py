"""`hilum rollout watch` as a user calls it, where nothing answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from starlette.applications import Starlette

from hilum.errors import ServiceUnreachableError
from hilum.ports import PortTakenError
from hilum.settings import settings
from hilum.stack.services import watch_port
from tests.support.ports import free_ports
from training.commands.watch import watch
from training.promote.watch.http_server import answering


@pytest.fixture(autouse=True)
def nothing_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    mlflow, triton, watcher = free_ports(3)
    monkeypatch.setenv("HILUM_HOME", str(tmp_path))
    monkeypatch.setenv("HILUM_MLFLOW_URI", f"http://127.0.0.1:{mlflow}")
    monkeypatch.setenv("HILUM_TRITON_URL", f"127.0.0.1:{triton}")
    monkeypatch.setenv("HILUM_WATCH_PORT", str(watcher))
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_one_pass_says_what_does_not_answer() -> None:
    result = CliRunner().invoke(watch, ["--once"])
    assert isinstance(result.exception, ServiceUnreachableError)
    assert result.exception.exit_code == 4
    assert "MLflow does not answer" in str(result.exception)


def test_a_taken_port_is_said_at_once() -> None:
    with answering(Starlette(), watch_port(settings())):
        result = CliRunner().invoke(watch)
    assert isinstance(result.exception, PortTakenError)
    assert "HILUM_WATCH_PORT" in str(result.exception)


@pytest.mark.parametrize("interval", ["0", "-1", "soon"])
def test_an_interval_is_a_positive_time(interval: str) -> None:
    result = CliRunner().invoke(watch, ["--once", "--interval", interval])
    assert result.exit_code == 2
    assert "--interval" in result.output
