"""A real Prometheus and Alertmanager on a copy of the rules that waits seconds instead of minutes."""

import json
import queue
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr

from hilum.files import write_atomic
from hilum.monitoring.configuration import RULES, alertmanager_config, prometheus_config, render
from hilum.monitoring.programs import ALERTMANAGER, PROMETHEUS
from hilum.monitoring.servers import alertmanager_command, prometheus_command
from hilum.probe import answers_ok
from hilum.settings import Settings
from tests.support.watchers import wait_until

INTERVAL_S = 1
"""Time between two scrapes and two evaluations, in seconds."""

Notification = dict[str, Any]
"""One alert as Alertmanager sends it: status, labels, annotations."""


def fetch_json(url: str) -> Any:
    """Return what a server answers."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def write_impatient_rules(folder: Path) -> Path:
    """Write a copy of the rules that evaluates every second and fires at once; return the folder."""
    folder.mkdir()
    for path in RULES.glob("*.yaml"):
        rules = yaml.safe_load(path.read_text())
        for group in rules["groups"]:
            group["interval"] = f"{INTERVAL_S}s"
            for rule in group["rules"]:
                if "for" in rule:
                    rule["for"] = f"{INTERVAL_S}s"
        (folder / path.name).write_text(yaml.safe_dump(rules))
    return folder


@dataclass(frozen=True)
class Monitoring:
    """Both servers, running, and what reached the receiver."""

    prometheus: str
    """Address of Prometheus."""
    received: "queue.Queue[Notification]"
    """Alerts in the order of their arrival."""

    def rules(self) -> list[dict[str, Any]]:
        """Return every rule with its health and state."""
        groups = fetch_json(f"{self.prometheus}/api/v1/rules")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of an instant query."""
        encoded = urllib.parse.quote(expression)
        answer = fetch_json(f"{self.prometheus}/api/v1/query?query={encoded}")
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def wait_received(self, alert: str, status: str) -> Notification:
        """Return the first notification of an alert in a status, once it arrives."""
        deadline = time.monotonic() + 60
        while True:
            found = self.received.get(timeout=max(deadline - time.monotonic(), 0.01))
            if found["labels"]["alertname"] == alert and found["status"] == status:
                return found


@contextmanager
def running_monitoring(settings: Settings, rules: Path) -> Iterator[Monitoring]:
    """Run both servers as the stack does, but for the rules and the intervals, during the block.

    Args:
        settings: ports and home; `alert_webhook` is replaced by a receiver of the test's own.
        rules: the folder with the rule files.
    """
    received: queue.Queue[Notification] = queue.Queue()
    with _receiving(received) as webhook:
        settings = settings.model_copy(update={"alert_webhook": webhook})
        prometheus, alertmanager = PROMETHEUS.find(), ALERTMANAGER.find()
        assert prometheus
        assert alertmanager
        sent = alertmanager_config(settings, group_wait_s=0)
        sent["route"]["group_interval"] = f"{INTERVAL_S}s"
        scraped = prometheus_config(settings, has_alertmanager=True, rules=rules, interval_s=INTERVAL_S)
        home = settings.home
        write_atomic(home / "alertmanager" / "alertmanager.yaml", render(sent))
        write_atomic(home / "prometheus" / "prometheus.yaml", render(scraped))
        address = f"http://127.0.0.1:{settings.prometheus_port}"
        with (
            _process(alertmanager_command(settings, alertmanager), home / "alertmanager.log"),
            _process(prometheus_command(settings, prometheus), home / "prometheus.log") as process,
        ):
            wait_until(lambda: answers_ok(f"{address}/-/ready"), process, home / "prometheus.log")
            yield Monitoring(address, received)


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def _receiving(received: "queue.Queue[Notification]") -> Iterator[SecretStr]:
    """Listen for Alertmanager's notifications during the block; yield the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for alert in body["alerts"]:
                received.put(alert)
            self.send_response(200)
            self.end_headers()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield SecretStr(f"http://127.0.0.1:{server.server_port}/alerts")
        finally:
            server.shutdown()
            thread.join()
