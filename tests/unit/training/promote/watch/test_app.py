import json
import time
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from hilum.contract import SCREENING
from training.promote.watch.app import MAX_BODY_BYTES, WEBHOOK_PATH, build_app
from training.promote.watch.bell import Bell
from training.promote.watch.deliveries import (
    DELIVERY_ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    Deliveries,
    sign,
)
from training.promote.watch.metrics import WatchMetrics
from training.promote.watch.state import State

SECRET = "a secret for tests"
EVENT = json.dumps({"data": {"name": SCREENING}}).encode()


class Watcher:
    """The HTTP side of a watcher, without a loop."""

    def __init__(self) -> None:
        self.bell, self.metrics, self.state = Bell(), WatchMetrics(), State()
        self.client = TestClient(build_app(Deliveries(SECRET), self.bell, self.metrics, self.state))

    def deliver(self, body: bytes = EVENT, *, secret: str = SECRET, late_s: int = 0) -> tuple[int, str]:
        """Send a delivery; return the status and what it was taken for."""
        stamp = str(int(time.time()) - late_s)
        headers = {
            DELIVERY_ID_HEADER: "one",
            TIMESTAMP_HEADER: stamp,
            SIGNATURE_HEADER: sign(secret, "one", stamp, body),
        }
        response = self.client.post(WEBHOOK_PATH, content=body, headers=headers)
        return response.status_code, response.json()["result"]

    def count(self, outcome: str) -> int:
        line = f'hilum_webhooks_total{{result="{outcome}"}} '
        (value,) = (
            row.removeprefix(line)
            for row in self.client.get("/metrics").text.splitlines()
            if row.startswith(line)
        )
        return int(float(value))


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    watcher = Watcher()
    with watcher.client:
        yield watcher


def test_a_genuine_delivery_rings_the_bell_once(watcher: Watcher) -> None:
    assert watcher.deliver() == (202, "accepted")
    assert watcher.bell.wait(0.0)
    assert watcher.deliver() == (200, "duplicate")
    assert not watcher.bell.wait(0.0)
    assert (watcher.count("accepted"), watcher.count("duplicate")) == (1, 1)


def test_a_delivery_about_another_model_does_not_ring(watcher: Watcher) -> None:
    assert watcher.deliver(b'{"data": {"name": "xray_filter"}}') == (202, "accepted")
    assert not watcher.bell.wait(0.0)


def test_what_is_refused_does_not_ring_and_is_counted(
    watcher: Watcher, caplog: pytest.LogCaptureFixture
) -> None:
    assert watcher.deliver(secret="another") == (401, "forged")
    assert watcher.deliver(late_s=3600) == (400, "stale")
    assert watcher.deliver(b"no event") == (400, "malformed")
    assert not watcher.bell.wait(0.0)
    assert [watcher.count(outcome) for outcome in ("forged", "stale", "malformed", "accepted")] == [
        1,
        1,
        1,
        0,
    ]
    assert "one of the two clocks is wrong" in caplog.text


def test_an_unsigned_delivery_is_malformed(watcher: Watcher) -> None:
    response = watcher.client.post(WEBHOOK_PATH, content=EVENT)
    assert response.status_code == 400
    assert SIGNATURE_HEADER in response.json()["detail"]


def test_a_large_body_is_not_read(watcher: Watcher) -> None:
    """Not even a signed one, and without trusting the length that it states."""
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        while read < 100 * MAX_BODY_BYTES:
            read += 1024
            yield b" " * 1024

    response = watcher.client.post(WEBHOOK_PATH, content=endless())
    assert response.status_code == 400
    assert str(MAX_BODY_BYTES) in response.json()["detail"]
    assert watcher.count("malformed") == 1


@pytest.mark.parametrize("path", ["/", WEBHOOK_PATH, "/healthz/x"])
def test_nothing_else_is_answered(watcher: Watcher, path: str) -> None:
    assert watcher.client.get(path).status_code in (404, 405)


def test_is_live_before_it_is_ready(watcher: Watcher) -> None:
    assert watcher.client.get("/healthz").status_code == 200
    ready = watcher.client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json() == {
        "ready": False,
        "detail": "The first pass has not ended yet.",
        "last_success": None,
    }


def test_is_ready_while_passes_succeed(watcher: Watcher) -> None:
    watcher.state.succeeded("Nothing to do.")
    ready = watcher.client.get("/readyz")
    assert ready.status_code == 200
    succeeded_at = ready.json()["last_success"]
    assert succeeded_at.endswith("+00:00")
    watcher.state.failed("MLflow does not answer.")
    ready = watcher.client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json() == {
        "ready": False,
        "detail": "MLflow does not answer.",
        "last_success": succeeded_at,
    }
    assert watcher.client.get("/healthz").status_code == 200
