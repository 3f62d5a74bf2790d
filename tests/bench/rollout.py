"""Two releases that take turns on a server of the benchmark's own: what a move takes, and costs callers.

The releases come from this installation's registry, where it has two; else toy networks are registered
in a registry of the benchmark's own. Only the registry is read: repository, Triton and ledger are made.
"""

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from hilum.console import stderr, track
from hilum.contract import SCREENING
from hilum.errors import HilumError
from hilum.settings import settings
from hilum.triton.addresses import TritonAddresses
from hilum.triton.process import running
from hilum.triton.server import TritonServer
from tests.bench.process_tree import resident_bytes
from tests.bench.report import Measurement
from tests.support.mlflow_process import running_mlflow
from tests.support.ports import free_ports
from tests.support.rollout_site import ToyReleases
from tests.support.servers import ADMIN_KEY
from tests.support.signed_answers import FIRST, SECOND
from training.ledger.ledger import Ledger
from training.promote.release import StoredRelease, fetch_release
from training.promote.rollout import Site, apply
from training.promote.triton_control import TritonControl
from training.registry import Registry

IN_FLIGHT = 8
"""Requests at any time, while it is measured what a move costs callers."""

STEPS = ("look", "fetch", "stage", "load", "ask", "swap", "verify")
"""The steps from an alias's move to verified traffic; what is dropped afterwards delays nobody."""

MOVES_UNDER_LOAD = 20
"""Rollouts with requests in flight: promotions and rollbacks in turn."""

MEMORY_AFTER = 5
"""Moves after which memory is first taken."""

SETTLED_S = 60.0
"""Longest wait for the server to collect what it unloaded, in seconds."""


@dataclass
class Traffic:
    """What callers saw."""

    answered: int = 0
    failed: int = 0
    wrong: int = 0
    """Answers that are not what the release that signed them promised."""
    problems: list[str] = field(default_factory=list)


def measure_rollout(releases: tuple[int, int] | None, *, moves: int) -> list[Measurement]:
    """Let two releases take turns.

    Args:
        releases: their numbers in this installation's registry; None for its two newest, or toys.
        moves: rollouts in all, those under load included.
    """
    with (
        tempfile.TemporaryDirectory(prefix="hilum-bench-") as folder,
        _releases(releases, Path(folder)) as (
            registry,
            numbers,
        ),
    ):
        stored = {number: fetch_release(registry, number) for number in numbers}
        home = Path(folder) / "home"
        server = _server(home)
        with (
            Ledger(f"sqlite:///{home / 'ledger.db'}") as ledger,
            TritonControl(server.addresses.grpc, ADMIN_KEY) as triton,
        ):
            site = Site(
                registry=registry,
                ledger=ledger,
                repository=server.repository,
                triton=triton,
                instances=settings().instances,
                who="bench",
            )
            turns = _turns(site, numbers)
            next(turns)
            with running(server, home / "triton.log") as process:
                idle = [next(turns) for _ in range(MEMORY_AFTER)]
                early = _settled_bytes(process.pid)
                with _load(server.addresses.grpc, stored) as traffic:
                    loaded = _take(MOVES_UNDER_LOAD, turns, "under load")
                idle += _take(moves - MEMORY_AFTER - MOVES_UNDER_LOAD, turns, "without load")
                late = _settled_bytes(process.pid)
    for problem in traffic.problems[:5]:
        stderr.print(problem, markup=False)
    return [*_durations("idle", idle, limit_s=10), *_durations("load", loaded), *_costs(traffic, early, late)]


def _durations(name: str, seconds: list[dict[str, float]], limit_s: float | None = None) -> list[Measurement]:
    """Return the median of each step, and the worst time from an alias's move to verified traffic."""
    where = "without load" if name == "idle" else f"with {IN_FLIGHT} requests in flight"
    totals = [sum(laps[step] for step in STEPS) for laps in seconds]
    return [
        *(
            Measurement(
                name=f"{name}_{step}_s",
                what=f"{step}, {where}, median of {len(seconds)}, s",
                value=statistics.median(laps[step] for laps in seconds),
            )
            for step in (*STEPS, "drop")
        ),
        Measurement(
            name=f"{name}_alias_to_verified_traffic_s",
            what=f"alias moved to verified traffic, {where}, worst of {len(seconds)}, s",
            value=max(totals),
            at_most=limit_s,
        ),
    ]


def _costs(traffic: Traffic, early: int, late: int) -> list[Measurement]:
    return [
        Measurement(name="answered", what="requests answered meanwhile", value=traffic.answered, at_least=1),
        Measurement(name="failed", what="requests that failed", value=traffic.failed, at_most=0),
        Measurement(name="wrong", what="answers that two releases made", value=traffic.wrong, at_most=0),
        Measurement(name="memory_gib", what="memory of the server at the end (PSS), GiB", value=late / 2**30),
        Measurement(
            name="memory_ratio",
            what=f"memory at the end / after {MEMORY_AFTER} moves",
            value=late / early,
            at_most=1.1,
        ),
    ]


@contextmanager
def _releases(numbers: tuple[int, int] | None, folder: Path) -> Iterator[tuple[Registry, tuple[int, int]]]:
    """Yield a registry and two of its releases."""
    if numbers is None:
        with _suppressed():
            registry = Registry(settings().mlflow_address)
            *_, one, other = (version.number for version in registry.versions(SCREENING))
            numbers = (one, other)
    if numbers is not None:
        stderr.print(f"Releases {numbers[0]} and {numbers[1]} of the registry take turns.")
        yield Registry(settings().mlflow_address), numbers
        return
    stderr.print("The registry has no two releases: toy networks take turns.")
    with running_mlflow(folder / "mlflow") as url:
        toys = ToyReleases(Registry(url), folder)
        yield toys.registry, (toys.number(FIRST), toys.number(SECOND))


@contextmanager
def _suppressed() -> Iterator[None]:
    """Pass over a registry that is not there, or has too few releases."""
    try:
        yield
    except (HilumError, ValueError):
        return


def _server(home: Path) -> TritonServer:
    live = home / "model_repository"
    live.mkdir(parents=True)
    http, grpc, metrics = free_ports(3)
    return TritonServer(
        repository=live,
        home=home,
        admin_key=ADMIN_KEY,
        addresses=TritonAddresses(host="127.0.0.1", http_port=http, grpc_port=grpc, metrics_port=metrics),
    )


def _turns(site: Site, numbers: tuple[int, int]) -> Iterator[dict[str, float]]:
    """Roll out one release and the other, for ever; yield how long each step took."""
    while True:
        for number in numbers:
            yield dict(apply(site, {"champion": number, "challenger": None}).seconds)


def _take(count: int, turns: Iterator[dict[str, float]], what: str) -> list[dict[str, float]]:
    return [next(turns) for _ in track(range(count), what, total=count)]


@contextmanager
def _load(address: str, stored: dict[int, StoredRelease]) -> Iterator[Traffic]:
    """Keep golden cases in flight during the block, and compare each answer with its release's promise."""
    promises = {
        number: {case.sha256: case for case in release.release.golden_cases}
        for number, release in stored.items()
    }
    shared = set.intersection(*(set(cases) for cases in promises.values()))
    files = {
        case.sha256: release.golden_files[case.file]
        for release in stored.values()
        for case in release.release.golden_cases
        if case.sha256 in shared
    }
    traffic, stop, lock = Traffic(), threading.Event(), threading.Lock()

    def call() -> None:
        with TritonControl(address, ADMIN_KEY) as triton:
            while not stop.is_set():
                for sha256, file in files.items():
                    problem, failed = None, False
                    try:
                        answer = triton.screen(file)
                        problem = promises[answer.release][sha256].disagreement(
                            answer.valid_probability,
                            answer.probabilities,
                            accepted=answer.accepted,
                            operating_point=stored[answer.release].release.operating_point,
                        )
                    except HilumError as error:
                        problem, failed = str(error), True
                    with lock:
                        traffic.answered += not failed
                        traffic.failed += failed
                        traffic.wrong += problem is not None and not failed
                        traffic.problems += [problem] if problem else []

    threads = [threading.Thread(target=call) for _ in range(IN_FLIGHT)]
    for thread in threads:
        thread.start()
    try:
        yield traffic
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _settled_bytes(pid: int) -> int:
    """Return the server's memory once it has collected the processes of what it unloaded."""
    deadline, before = time.monotonic() + SETTLED_S, -1
    while time.monotonic() < deadline:
        time.sleep(3)
        count = len(psutil.Process(pid).children(recursive=True))
        if count == before:
            break
        before = count
    return resident_bytes(pid)
