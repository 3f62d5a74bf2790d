from pathlib import Path

import pytest

from hilum.errors import UsageError
from hilum.settings import Settings
from hilum.triton.addresses import TritonAddresses


def test_come_from_the_settings() -> None:
    settings = Settings(host="127.0.0.9", http_port=1, grpc_port=2, metrics_port=3)
    addresses = TritonAddresses.from_settings(settings)
    assert addresses.grpc == settings.triton_address == "127.0.0.9:2"
    assert addresses.ready_url == "http://127.0.0.9:1/v2/health/ready"
    assert addresses.metrics_url == "http://127.0.0.9:3/metrics"
    assert [(port.number, port.variable) for port in addresses.ports] == [
        (1, "HILUM_HTTP_PORT"),
        (2, "HILUM_GRPC_PORT"),
        (3, "HILUM_METRICS_PORT"),
    ]


def test_what_triton_cannot_encrypt_stays_on_loopback(tmp_path: Path) -> None:
    settings = Settings(host="0.0.0.0", triton_tls_certificate=tmp_path / "a.pem")
    addresses = TritonAddresses.from_settings(settings)
    assert addresses.grpc == "0.0.0.0:8001"
    assert addresses.http_url == "http://127.0.0.1:8000"
    assert addresses.metrics_url == "http://127.0.0.1:8002/metrics"
    assert [port.host for port in addresses.ports] == ["127.0.0.1", "0.0.0.0", "127.0.0.1"]


def test_one_port_for_two_services_is_refused() -> None:
    with pytest.raises(UsageError, match="three different ports"):
        TritonAddresses(host="127.0.0.1", http_port=1, grpc_port=2, metrics_port=1)
