"""A `hilum rollout watch` that a test starts, or that the stack runs, and what it says over HTTP."""

import http.client
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from hilum.contract import SCREENING
from hilum.settings import Settings
from tests.support.ports import free_ports
from training.promote.watch.app import WEBHOOK_PATH
from training.promote.watch.deliveries import (
    DELIVERY_ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    sign,
)

WAIT_S = 120.0
"""Longest wait for anything, in seconds: a bound on a hang."""

EVENT = json.dumps({"entity": "model_version_alias", "data": {"name": SCREENING}}).encode()
"""The body of a delivery about an alias of a release."""


class WatcherSite:
    """One watcher's HTTP side."""

    def __init__(self, port: int, home: Path) -> None:
        self.port = port
        self._secret = Settings(home=home).read_webhook_secret

    def fetch(
        self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Send one request; return the status and the body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(
                "GET" if body is None else "POST", path, body=body, headers=dict(headers or {})
            )
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def is_ready(self) -> bool:
        """Whether its last pass succeeded."""
        try:
            return self.fetch("/readyz")[0] == 200
        except OSError:
            return False

    def series(self) -> dict[str, float]:
        """Return its metrics, each named as Prometheus writes it, with its labels sorted."""
        found = {}
        for family in text_string_to_metric_families(self.fetch("/metrics")[1]):
            for sample in family.samples:
                labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return found

    def count(self, name: str, result: str) -> int:
        """Return a counter that has the label `result`."""
        return int(self.series()[f'{name}{{result="{result}"}}'])

    def serves(self, release: int, role: str = "champion") -> bool:
        """Whether it says that a release answers in a role, and that registry and server agree."""
        series = self.series()
        return (
            f'hilum_release_info{{release="{release}",role="{role}"}}' in series
            and series["hilum_registry_drift"] == 0
        )

    def deliver(
        self,
        *,
        delivery: str | None = None,
        secret: str | None = None,
        late_s: int = 0,
        body: bytes = EVENT,
    ) -> tuple[int, str]:
        """Deliver an event as MLflow does; return the status and what it was taken for."""
        delivery, stamp = delivery or str(uuid.uuid4()), str(int(time.time()) - late_s)
        headers = {
            DELIVERY_ID_HEADER: delivery,
            TIMESTAMP_HEADER: stamp,
            SIGNATURE_HEADER: sign(secret or self._secret(), delivery, stamp, body),
        }
        status, answer = self.fetch(WEBHOOK_PATH, body, headers)
        return status, json.loads(answer)["result"]


class Watcher(WatcherSite):
    """A watcher in a process of its own."""

    def __init__(self, environment: Mapping[str, str], home: Path, *options: str) -> None:
        super().__init__(free_ports(1)[0], home)
        self.log = home / f"watcher-{self.port}.log"
        with self.log.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hilum", "rollout", "watch", *options],
                env=os.environ | dict(environment) | {"HILUM_WATCH_PORT": str(self.port)},
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    def stop(self) -> int:
        """Ask it to end, and return its exit status."""
        self.process.terminate()
        return self.process.wait(60)


@contextmanager
def watching(environment: Mapping[str, str], home: Path, *options: str) -> Iterator[Watcher]:
    """Run a watcher during the block, from its first good pass on; it must end cleanly."""
    watcher = Watcher(environment, home, *options)
    try:
        wait_until(watcher.is_ready, watcher.process, watcher.log)
        yield watcher
        assert watcher.stop() == 0, watcher.log.read_text()
        assert "Traceback" not in watcher.log.read_text()
    finally:
        watcher.process.kill()
        watcher.process.wait()


def wait_until(
    condition: Callable[[], bool], process: subprocess.Popen[bytes] | None = None, log: Path | None = None
) -> None:
    """Ask until something is so, while a process lives that must make it so."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        text = log.read_text() if log else ""
        assert process is None or process.poll() is None, text
        assert time.monotonic() < deadline, text
        time.sleep(0.05)
