"""When the watcher registers its webhook; its passes over real servers are in tests/integration."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hilum.errors import HilumError, ServiceUnreachableError
from hilum.settings import Settings
from tests.support.ports import free_ports
from training.promote.watch import run
from training.promote.watch.metrics import WatchMetrics
from training.promote.watch.passes import Pass
from training.promote.watch.run import Passes

URL = "http://127.0.0.1:5/webhooks/mlflow"
DONE = Pass(result="nothing", champion=3, challenger=None)


class Registry:
    """Takes webhooks, or refuses them."""

    def __init__(self) -> None:
        self.registered: list[tuple[str, str]] = []
        self.refusal: HilumError | None = None

    def ensure_webhook(self, url: str, secret: str) -> bool:
        self.registered.append((url, secret))
        if self.refusal:
            raise self.refusal
        return len(self.registered) == 1


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    registry = Registry()

    @contextmanager
    def open_site(_settings: Settings) -> Iterator[Any]:
        yield SimpleNamespace(registry=registry)

    monkeypatch.setattr(run, "open_site", open_site)
    monkeypatch.setattr(run, "make_pass", lambda *_args, **_options: DONE)
    return registry


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, triton_url=f"127.0.0.1:{free_ports(1)[0]}")


def test_it_is_registered_once_with_our_secret(settings: Settings, registry: Registry) -> None:
    passes = Passes(settings, WatchMetrics(), webhook_url=URL)
    assert [passes.make(), passes.make()] == [DONE, DONE]
    assert registry.registered == [(URL, settings.read_webhook_secret())]


def test_without_an_address_it_is_not(settings: Settings, registry: Registry) -> None:
    Passes(settings, WatchMetrics()).make()
    assert registry.registered == []


def test_it_is_registered_again_after_a_failure(
    settings: Settings, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow may have come back with another database."""
    passes = Passes(settings, WatchMetrics(), webhook_url=URL)
    passes.make()

    def fail(*_args: object, **_options: object) -> Pass:
        raise ServiceUnreachableError("MLflow", "there", "Start it.")

    with monkeypatch.context() as patch:
        patch.setattr(run, "make_pass", fail)
        with pytest.raises(ServiceUnreachableError):
            passes.make()
    passes.make()
    assert len(registry.registered) == 2


def test_a_refusal_leaves_polling(
    settings: Settings, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    registry.refusal = HilumError("Invalid webhook URL scheme")
    passes = Passes(settings, WatchMetrics(), webhook_url=URL)
    with caplog.at_level(logging.WARNING):
        assert passes.make() == DONE
    assert "only polling finds changes: Invalid webhook URL scheme" in caplog.text


@pytest.mark.parametrize(
    ("done", "sentence"),
    [
        (
            Pass(result="nothing", champion=None, challenger=None),
            "No release is champion: nothing is to be served.",
        ),
        (DONE, "Release 3 as champion: nothing to do."),
        (
            Pass(result="loaded", champion=3, challenger=4),
            "Release 3 as champion, release 4 as challenger: loaded, and the golden cases passed.",
        ),
        (
            Pass(result="written", champion=3, challenger=None),
            "Release 3 as champion: written; Triton does not run, and loads it when it starts.",
        ),
    ],
)
def test_a_pass_says_what_it_did(done: Pass, sentence: str) -> None:
    assert done.sentence == sentence
