"""`hilum up`, `status`, `down`, `doctor` and `serve` as commands, against the real MLflow and Triton."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest

from hilum.contract import FILTER, MODELS
from hilum.monitoring.programs import ALERTMANAGER, PROMETHEUS
from hilum.ports import Port
from hilum.probe import answers_ok
from hilum.stack.marked import find_marked
from tests.support.data import REPOSITORY
from tests.support.front_door import ask_front_door
from tests.support.image_files import drawn_picture, encoded
from tests.support.monitoring import fetch_json
from tests.support.ports import free_ports
from tests.support.rollout_site import ToyReleases
from tests.support.servers import instances
from tests.support.signed_answers import FIRST, SECOND, THIRD
from tests.support.toy_release import toy_release, write_toy_repository
from tests.support.watchers import WatcherSite, wait_until
from training.ledger.ledger import Ledger
from training.mlflow_server import connect
from training.promote.promotion import promote_release
from training.registry import Registry

BRIGHT = encoded(drawn_picture(300, 300), "PNG")
RESTART_TIMEOUT_S = 120.0


class Site:
    """An installation with a home and ports of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        monitoring = [each.name for each in (PROMETHEUS, ALERTMANAGER) if each.find() and PROMETHEUS.find()]
        names = ("HTTP", "GRPC", "METRICS", "MLFLOW", "WATCH", "DASHBOARD", *map(str.upper, monitoring))
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        variables = {f"HILUM_{name}_PORT": str(port) for name, port in self.ports.items()}
        self.environment = os.environ | variables | {"HILUM_HOME": str(home)}
        self.grpc = f"127.0.0.1:{self.ports['GRPC']}"
        self.mlflow = f"http://127.0.0.1:{self.ports['MLFLOW']}"
        self.watcher = f"http://127.0.0.1:{self.ports['WATCH']}"
        self.monitoring = {name: f"http://127.0.0.1:{self.ports[name.upper()]}" for name in monitoring}
        self.dashboard = f"http://127.0.0.1:{self.ports['DASHBOARD']}"
        self.services = ["mlflow", "triton", "rollout", *monitoring, "dashboard"]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a `hilum` command."""
        return subprocess.Popen(
            [sys.executable, "-m", "hilum", *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run a `hilum` command and return its exit status and what it printed."""
        process = self.start(*arguments)
        stdout, stderr = process.communicate(timeout=200)
        assert "Traceback" not in stderr
        return process.returncode, stdout, stderr

    def status(self) -> tuple[int, dict[str, dict[str, Any]], list[dict[str, Any]]]:
        """Return what `hilum status --json` says: exit status, services by name, models."""
        code, stdout, _ = self.run("status", "--json")
        records = [json.loads(line) for line in stdout.splitlines()]
        services = {record["service"]: record for record in records if "service" in record}
        return code, services, [record for record in records if "model" in record]

    def kill_and_wait(
        self, service: str, pids: list[int], meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        """Kill some of a service's processes; wait until new ones serve and none of the old is left."""
        old = set(find_marked(self.home, service))
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        meanwhile()
        deadline = time.monotonic() + RESTART_TIMEOUT_S
        while old & set(find_marked(self.home, service)) or self.status()[0] != 0:
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def assert_gone(self) -> None:
        assert find_marked(self.home) == []
        for number in self.ports.values():
            assert Port(host="127.0.0.1", number=number, purpose="-", variable="-").is_free()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A stack that runs the toy networks, started once for this module, in a folder with a space."""
    folder = tmp_path_factory.mktemp("a stack")
    site = Site(folder / "home")
    write_toy_repository(site.home / "model_repository", toy_release(), folder / "scratch")
    try:
        code, stdout, stderr = site.run("up", "--detach")
        assert code == 0, stderr
        expected = ["mlflow", site.mlflow, "triton", site.grpc, "rollout", site.watcher]
        expected += [word for each in site.monitoring.items() for word in each]
        assert stdout.split() == [*expected, "dashboard", site.dashboard]
        yield site
    finally:
        code, _, stderr = site.run("down")
        assert code == 0, stderr
        site.assert_gone()


@pytest.fixture
def fresh_site(tmp_path: Path) -> Iterator[Site]:
    """An installation where nothing runs yet."""
    site = Site(tmp_path / "home")
    yield site
    site.run("down")
    site.assert_gone()


class TestRunning:
    def test_serves(self, site: Site) -> None:
        assert answers_ok(f"{site.mlflow}/health")
        assert ask_front_door(site.grpc, [BRIGHT])["accepted"].all()

    def test_status_says_so(self, site: Site) -> None:
        code, services, models = site.status()
        assert code == 0
        assert list(services) == site.services
        assert all(service["healthy"] for service in services.values())
        assert {(model["model"], model["version"], model["state"]) for model in models} == {
            (name, "1", "READY") for name in MODELS
        }
        table = site.run("status")[1]
        assert "RUNNING" in table
        assert "xray_screening" in table

    def test_up_again_changes_nothing(self, site: Site) -> None:
        before = site.status()[1]
        assert site.run("up", "--detach")[0] == 0
        assert site.run("up")[0] == 0
        after = site.status()[1]
        assert {name: service["pid"] for name, service in before.items()} == {
            name: service["pid"] for name, service in after.items()
        }

    def test_up_with_other_addresses_is_refused(self, site: Site) -> None:
        environment = site.environment
        site.environment = environment | {"HILUM_MLFLOW_PORT": str(free_ports(1)[0])}
        try:
            code, _, stderr = site.run("up", "--detach")
        finally:
            site.environment = environment
        assert code == 2
        assert "hilum down" in stderr

    def test_doctor_knows_its_own_ports(self, site: Site) -> None:
        code, stdout, _ = site.run("doctor", "--json")
        checks = {check["check"]: check for check in map(json.loads, stdout.splitlines())}
        assert code == 0
        for number in site.ports.values():
            assert checks[f"port {number}"]["found"].startswith("used by our")
        assert checks["triton"]["status"] == checks["mlflow"]["status"] == "ok"

    @pytest.mark.skipif(PROMETHEUS.find() is None, reason="prometheus is not installed")
    def test_prometheus_knows_every_server_and_rule(self, site: Site) -> None:
        address = site.monitoring["prometheus"]
        targets = fetch_json(f"{address}/api/v1/targets")["data"]["activeTargets"]
        monitored = {"triton": "METRICS", "rollout": "WATCH"} | {
            name: name.upper() for name in site.monitoring
        }
        assert {target["labels"]["job"]: target["scrapeUrl"] for target in targets} == {
            job: f"http://127.0.0.1:{site.ports[name]}/metrics" for job, name in monitored.items()
        }
        rules = fetch_json(f"{address}/api/v1/rules")["data"]["groups"]
        assert "HilumTritonDown" in {rule["name"] for group in rules for rule in group["rules"]}

    def test_secrets_are_the_owners(self, site: Site) -> None:
        for name in ("admin-key", "supervisord.conf"):
            assert (site.home / name).stat().st_mode & 0o077 == 0
        assert (site.home / "supervisor.sock").stat().st_mode & 0o077 == 0


class TestRestarts:
    def test_triton_killed_with_all_its_processes(self, site: Site) -> None:
        site.kill_and_wait("triton", find_marked(site.home, "triton"))
        assert ask_front_door(site.grpc, [BRIGHT])["accepted"].all()

    def test_a_python_model_killed(self, site: Site) -> None:
        models = [pid for server in find_marked(site.home, "triton") for pid in instances(server, FILTER)]
        site.kill_and_wait("triton", models[:1])
        for _ in range(4):  # every instance answers again
            assert ask_front_door(site.grpc, [BRIGHT])["accepted"].all()

    @pytest.mark.parametrize("service", ["triton", "mlflow", "rollout"])
    def test_only_the_process_that_status_names_killed(self, site: Site, service: str) -> None:
        """What it leaves behind holds the ports, and must make way for the new one."""
        site.kill_and_wait(service, [site.status()[1][service]["pid"]])

    def test_a_service_that_was_given_up_starts_with_the_next_up(self, site: Site) -> None:
        before = site.status()[1]["triton"]["pid"]
        address = f"unix://{site.home / 'supervisor.sock'}"
        command = [sys.executable, "-m", "supervisor.supervisorctl", "-s", address, "stop", "triton"]
        subprocess.run(command, check=True, capture_output=True)
        assert site.status()[0] == 4
        assert site.run("up", "--detach")[0] == 0
        code, services, _ = site.status()
        assert code == 0
        assert services["triton"]["pid"] != before


class TestWatches:
    def test_rolls_out_what_is_promoted_however_mlflow_dies(self, site: Site, tmp_path: Path) -> None:
        """The watcher says that it is not ready, goes on by itself, and MLflow still knows its secret."""
        watcher = WatcherSite(site.ports["WATCH"], site.home)
        before = mlflow.get_tracking_uri()
        try:
            registry = Registry(site.mlflow)
            releases = ToyReleases(registry, tmp_path)
            releases.number(FIRST)  # its networks have the numbers of the toys that are served already
            first, second = releases.number(SECOND), releases.number(THIRD)
            with Ledger(f"sqlite:///{site.home / 'ledger.db'}") as ledger:
                promote_release(registry, ledger, first, who="tests", reason="a toy", force=True)
                wait_until(lambda: watcher.serves(first))

                def wait_until_missed() -> None:
                    assert watcher.deliver() == (202, "accepted")
                    wait_until(lambda: watcher.fetch("/readyz")[0] == 503)

                site.kill_and_wait("mlflow", find_marked(site.home, "mlflow"), wait_until_missed)
                wait_until(watcher.is_ready)
                events = watcher.count("hilum_webhooks_total", "accepted")
                promote_release(registry, ledger, second, who="tests", reason="a toy", force=True)
                wait_until(lambda: watcher.count("hilum_webhooks_total", "accepted") > events)
                wait_until(lambda: watcher.serves(second))
        finally:
            connect(before)


class TestDoesNotStart:
    def test_on_a_taken_port(self, fresh_site: Site, mlflow_server: str) -> None:
        taken = mlflow_server.rpartition(":")[2]
        fresh_site.environment["HILUM_GRPC_PORT"] = taken
        code, _, stderr = fresh_site.run("up", "--detach")
        assert code == 1
        assert f"Triton's gRPC service needs port {taken}" in stderr
        assert "HILUM_GRPC_PORT" in stderr

    def test_with_a_broken_network(self, fresh_site: Site, tmp_path: Path) -> None:
        live = fresh_site.home / "model_repository"
        write_toy_repository(live, toy_release(), tmp_path / "scratch")
        (live / FILTER / "1" / "model.onnx").write_bytes(b"no network")
        code, _, stderr = fresh_site.run("up", "--detach")
        assert code == 1
        assert "triton ended while it started" in stderr
        assert "ONNX Runtime cannot load repository/xray_filter/1/model.onnx" in stderr
        fresh_site.assert_gone()

    def test_with_a_broken_database(self, fresh_site: Site) -> None:
        fresh_site.home.mkdir()
        (fresh_site.home / "mlflow.db").write_bytes(b"no database" * 1000)
        code, _, stderr = fresh_site.run("up", "--detach")
        assert code == 1
        assert "mlflow ended while it started" in stderr
        assert "file is not a database" in stderr
        fresh_site.assert_gone()


class TestStartsAtOnce:
    def test_two_ups_start_one_stack(self, fresh_site: Site) -> None:
        both = [fresh_site.start("up", "--detach") for _ in range(2)]
        for process in both:
            _, stderr = process.communicate(timeout=200)
            assert process.returncode == 0, stderr
        commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in find_marked(fresh_site.home)]
        assert len([command for command in commands if "supervisor.supervisord" in command]) == 1
        assert fresh_site.status()[0] == 0


class TestStops:
    def test_on_ctrl_c_while_it_starts(self, fresh_site: Site) -> None:
        process = fresh_site.start("up")
        deadline = time.monotonic() + 60
        while len(find_marked(fresh_site.home)) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
        assert "Everything has stopped" in stderr
        fresh_site.assert_gone()

    def test_what_a_killed_supervisor_left(self, tmp_path: Path) -> None:
        """And a home whose path is longer than a socket's may be."""
        site = Site(tmp_path / ("long" * 30) / "home")
        process = site.start("up")
        assert process.stdout
        assert process.stdout.readline().split() == ["mlflow", site.mlflow]
        supervisor = int((site.home / "supervisord.pid").read_text())
        process.kill()
        process.communicate()
        os.kill(supervisor, signal.SIGKILL)
        assert find_marked(site.home)
        code, _, stderr = site.run("down")
        assert code == 0
        assert "Everything has stopped" in stderr
        site.assert_gone()

    def test_nothing_where_nothing_runs(self, fresh_site: Site) -> None:
        code, services, models = fresh_site.status()
        assert code == 4
        assert list(services) == fresh_site.services
        assert {service["state"] for service in services.values()} == {"STOPPED"}
        assert models == []
        assert "Nothing was running" in fresh_site.run("down")[2]
        assert not fresh_site.home.exists()
