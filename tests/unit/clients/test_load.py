import numpy as np
import pytest

from clients.load import LoadReport, is_loopback, run_load
from hilum.errors import UsageError


@pytest.mark.parametrize("url", ["127.0.0.1:8001", "localhost:8001", "[::1]:8001", "127.8.8.8:1"])
def test_this_machine_is_told_apart(url: str) -> None:
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url", ["192.0.2.7:8001", "triton.example:8001", "localhost.example:8001", "0.0.0.0:8001"]
)
def test_other_machines_are_not_loaded_unless_allowed(url: str) -> None:
    with pytest.raises(UsageError, match="not on this machine"):
        run_load(url, [b"image"], requests=1, in_flight=1)


@pytest.mark.parametrize(("images", "requests", "in_flight"), [([], 1, 1), ([b"x"], 0, 1), ([b"x"], 1, 0)])
def test_an_empty_load_is_refused(images: list[bytes], requests: int, in_flight: int) -> None:
    with pytest.raises(UsageError, match="at least one"):
        run_load("127.0.0.1:1", images, requests=requests, in_flight=in_flight)


def test_a_report_counts_answers_per_second_and_quantiles() -> None:
    report = LoadReport(duration_s=2.0, latencies_s=np.array([0.4, 0.1, 0.2, 0.3]))
    assert report.throughput == 2
    assert report.latency_s(0.5) == pytest.approx(0.25)
    assert report.latency_s(1) == pytest.approx(0.4)
