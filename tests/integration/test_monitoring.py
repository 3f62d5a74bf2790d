"""The rules in a real Prometheus that scrapes a real Triton, and an alert on its way to a webhook."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hilum.monitoring.programs import missing_programs
from hilum.settings import Settings
from hilum.triton.process import TritonProcess, running
from hilum.triton.server import TritonServer
from tests.support.front_door import ask_front_door
from tests.support.image_files import drawn_picture, encoded
from tests.support.monitoring import Monitoring, running_monitoring, write_impatient_rules
from tests.support.ports import free_ports
from tests.support.watchers import wait_until

pytestmark = pytest.mark.skipif(
    bool(missing_programs()), reason="Prometheus or Alertmanager is not installed"
)

BRIGHT = encoded(drawn_picture(300, 300), "PNG")


@pytest.fixture(scope="module")
def triton(
    toy_repository: Callable[[], Path], make_server: Callable[[Path], TritonServer]
) -> Iterator[TritonProcess]:
    """A Triton of this module, which its last test stops."""
    server = make_server(toy_repository())
    with running(server, server.home / "triton.log") as process:
        yield process


@pytest.fixture(scope="module")
def monitoring(triton: TritonProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitoring]:
    """Prometheus and Alertmanager that watch it, with rules that wait a second."""
    addresses = triton.server.addresses
    prometheus, alertmanager, nobody = free_ports(3)
    folder = tmp_path_factory.mktemp("monitoring")
    settings = Settings(
        home=folder,
        http_port=addresses.http_port,
        grpc_port=addresses.grpc_port,
        metrics_port=addresses.metrics_port,
        prometheus_port=prometheus,
        alertmanager_port=alertmanager,
        watch_port=nobody,
    )
    with running_monitoring(settings, write_impatient_rules(folder / "rules")) as running_servers:
        wait_until(lambda: value(running_servers, 'up{job="triton"}') == 1)
        yield running_servers


def value(monitoring: Monitoring, expression: str) -> float | None:
    """Return the one value of an expression; None where it has none."""
    result = monitoring.query(expression)
    assert len(result) <= 1, result
    return float(result[0]["value"][1]) if result else None


def test_failures_count_once_and_refused_images_not_at_all(
    triton: TritonProcess, monitoring: Monitoring
) -> None:
    """Triton counts both twice: this pins what the recording rule makes of it."""
    address = triton.server.addresses.grpc
    for _ in range(3):
        ask_front_door(address, [BRIGHT])
        with pytest.raises(Exception, match="Expected a JPEG"):
            ask_front_door(address, [b"no image"])
    failed = 'sum(nv_inference_request_failure{model="xray_screening"})'
    wait_until(lambda: value(monitoring, failed) == 6)
    wait_until(lambda: value(monitoring, 'hilum_images_total{outcome="undecodable"}') == 3)
    wait_until(lambda: value(monitoring, "hilum:front_door_requests:rate5m > 0") is not None)
    wait_until(lambda: value(monitoring, "hilum:front_door_failures:rate5m") == 0)


def test_every_rule_evaluates(monitoring: Monitoring) -> None:
    wait_until(lambda: all(rule["health"] == "ok" for rule in monitoring.rules()))
    recorded = {rule["name"] for rule in monitoring.rules() if rule["type"] == "recording"}
    expected = {
        "hilum:front_door_failures:rate5m",
        "hilum:queue_seconds_per_request:rate5m",
        "hilum:images_per_execution:rate5m",
        "hilum:images:increase1h",
    }
    assert expected <= recorded
    wait_until(lambda: all(monitoring.query(name) for name in expected))


def test_a_stopped_triton_is_reported_to_the_webhook_and_so_is_its_return(
    triton: TritonProcess, monitoring: Monitoring
) -> None:
    firing = {rule["name"] for rule in monitoring.rules() if rule.get("state") == "firing"}
    assert "HilumTritonDown" not in firing
    assert "HilumTritonNotReady" not in firing
    triton.stop()
    alert = monitoring.wait_received("HilumTritonDown", "firing")
    assert alert["labels"]["severity"] == "critical"
    assert alert["annotations"]["summary"] == "0 replicas of Triton answer"
    assert alert["annotations"]["runbook_url"].endswith("/docs/runbooks/HilumTritonDown.md")
    with running(triton.server, triton.server.home / "triton.log"):
        monitoring.wait_received("HilumTritonDown", "resolved")
