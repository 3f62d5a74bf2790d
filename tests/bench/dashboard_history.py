"""A real Prometheus with thirty days behind it, of every series that the dashboard asks for.

Which series those are, and their shape, is not made up: a Prometheus whose rules wait for nothing watches
the real servers for some seconds. What it then holds is drawn out over thirty days, with a rhythm of days,
and written as blocks by `promtool`. A second Prometheus, with the rules as they are, opens them and goes on.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import promql_parser
from numpy.typing import NDArray

from hilum.console import stderr
from hilum.errors import UsageError
from hilum.files import write_atomic
from hilum.monitoring.configuration import INTERVAL_S, RULES, prometheus_config, render
from hilum.monitoring.programs import PROMETHEUS
from hilum.monitoring.servers import prometheus_command
from hilum.probe import answers_ok
from hilum.settings import Settings
from tests.support.monitoring import fetch_json, write_impatient_rules
from tests.support.promql import selectors
from tests.support.series_contract import python_expressions
from tests.support.watchers import wait_until

DAYS = 30

STEP_S = 120
"""Time between two samples, in seconds: a rate over five minutes needs two of them."""

SEEN_S = 20
"""How long the servers are watched for the series' names and shapes, in seconds."""

IMAGES_PER_S = 0.5
"""Mean over the days."""

QUERIES = Path("dashboard/queries.py")


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenSeries:
    """One series as a real Prometheus holds it."""

    text: str
    """Name and labels, as OpenMetrics writes them."""
    value: float
    is_counter: bool


@contextmanager
def prometheus_with_history(settings: Settings, ask: Callable[[], object]) -> Iterator[str]:
    """Run Prometheus on the servers of `settings` during the block, thirty days behind it; yield its address.

    Args:
        settings: where Triton, the watcher and Prometheus listen, and where it keeps its samples.
        ask: sends Triton one image.

    Raises:
        UsageError: Prometheus or promtool is not installed.
    """
    if PROMETHEUS.find() is None or shutil.which("promtool") is None:
        raise UsageError(f"There is no Prometheus here. Install it with `{PROMETHEUS.remedy}`.")
    rules = write_impatient_rules(settings.home / "rules")
    seen = settings.model_copy(update={"home": settings.home / "seen"})
    with running_prometheus(seen, rules, interval_s=1) as address:
        start, images = time.monotonic(), 0
        while time.monotonic() - start < SEEN_S:
            ask()
            images += 1
        series = _seen_series(address)
    stderr.print(f"{len(series)} series are drawn out over {DAYS} days.")
    text = settings.home / "history.txt"
    write_history(text, series, images, end=time.time())
    data = settings.home.absolute() / PROMETHEUS.name / "data"
    command = ["promtool", "tsdb", "create-blocks-from", "--max-block-duration=720h", "--quiet"]
    subprocess.run([*command, "openmetrics", str(text), str(data)], check=True)
    text.unlink()
    with running_prometheus(settings, RULES, interval_s=INTERVAL_S) as address:
        yield address


@contextmanager
def running_prometheus(settings: Settings, rules: Path, *, interval_s: int) -> Iterator[str]:
    """Run Prometheus as the stack does, without Alertmanager, during the block; yield its address."""
    folder = settings.home / PROMETHEUS.name
    folder.mkdir(parents=True, exist_ok=True)
    configuration = prometheus_config(settings, has_alertmanager=False, rules=rules, interval_s=interval_s)
    write_atomic(folder / "prometheus.yaml", render(configuration))
    binary = PROMETHEUS.find()
    assert binary
    log = folder / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            prometheus_command(settings, binary), stdout=stream, stderr=subprocess.STDOUT
        )
    address = f"http://{settings.host}:{settings.prometheus_port}"
    try:
        wait_until(lambda: answers_ok(f"{address}/-/ready"), process, log)
        yield address
    finally:
        process.terminate()
        process.wait(60)


def _seen_series(address: str) -> list[SeenSeries]:
    """Return the series that a Prometheus holds of those that the dashboard asks for, with their values."""
    names = {
        selector.name
        for _, text in python_expressions(QUERIES.read_text())
        for selector in selectors(promql_parser.parse(text))
    }
    metadata = fetch_json(f"{address}/api/v1/metadata")["data"]
    counters = {name for name, entries in metadata.items() if entries[0]["type"] in ("counter", "histogram")}
    found = []
    for name in sorted(names):
        answer = fetch_json(f"{address}/api/v1/query?{urlencode({'query': name})}")
        is_counter = name in counters or name.removesuffix("_bucket") in counters
        for each in answer["data"]["result"]:
            labels = ",".join(
                f'{label}="{value}"' for label, value in each["metric"].items() if label != "__name__"
            )
            value = float(each["value"][1])
            found.append(SeenSeries(text=f"{name}{{{labels}}}", value=value, is_counter=is_counter))
    return found


def write_history(path: Path, series: list[SeenSeries], images: int, *, end: float) -> None:
    """Write thirty days of series up to `end` as OpenMetrics text.

    Counters grow as they did with `images` images, by as many images as the rhythm of days says; so the
    buckets of a histogram stay in proportion. Gauges waver by a tenth about their value.
    """
    random = np.random.default_rng(0)
    times = np.arange(end - DAYS * 86_400, end, STEP_S)
    rate = IMAGES_PER_S * (1 + 0.8 * np.sin(2 * np.pi * times / 86_400))
    served = np.cumsum(random.poisson(rate * STEP_S))
    stamps = [f"{at:.0f}\n" for at in times]
    with path.open("w") as stream:
        for each in series:
            values = (
                each.value / max(images, 1) * served
                if each.is_counter
                else each.value * random.uniform(0.9, 1.1, len(times))
            )
            stream.writelines(_lines(each.text, values, stamps))
        stream.write("# EOF\n")


def _lines(text: str, values: NDArray[np.float64], stamps: list[str]) -> Iterator[str]:
    return (f"{text} {value:.6g} {stamp}" for value, stamp in zip(values.tolist(), stamps, strict=True))
