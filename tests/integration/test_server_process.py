"""The embedded Triton as a process: how it starts, why it does not, what survives, what it leaves behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnx
import pytest
import tritonclient.grpc as grpcclient
from onnx import parser
from tritonclient.utils import InferenceServerException

from hilum.contract import CLASSIFIER, DECODE, FILTER, MONITOR
from hilum.errors import UsageError
from hilum.ports import PortTakenError
from hilum.probe import answers_ok
from hilum.settings import ADMIN_KEY_NAME
from hilum.triton.errors import ServerFailedError
from hilum.triton.process import TritonProcess, running
from hilum.triton.server import SHARED_MEMORY, TritonServer
from tests.support.data import REPOSITORY
from tests.support.front_door import ask_directly, ask_front_door
from tests.support.image_files import drawn_picture, encoded
from tests.support.ports import free_ports
from tests.support.servers import ADMIN_KEY, RunningToys, instances, is_group_alive, scrape_settled
from tests.support.toy_models import toy_filter

BRIGHT = encoded(drawn_picture(300, 300), "PNG")

Make = Callable[[Path], TritonServer]
Write = Callable[[], Path]

FROZEN_FILTER = """
    <ir_version: 10, opset_import: ["" : 20]>
    frozen (uint8[2,1,256,256] radiograph) => (float[2,1] valid_probability, bool[2,1] accepted)
    <float threshold = {0.1}, int64[3] axes = {1, 2, 3}, int64[2] column = {-1, 1}>
    {
        pixels = Cast<to = 1>(radiograph)
        mean = ReduceMean<keepdims = 0>(pixels, axes)
        valid_probability = Reshape(mean, column)
        accepted = GreaterOrEqual(valid_probability, threshold)
    }"""

PAIRS_ONLY_FILTER = """
    <ir_version: 10, opset_import: ["" : 20]>
    pairs (uint8[N,1,256,256] radiograph) => (float[N,1] valid_probability, bool[N,1] accepted)
    <int64[3] axes = {1, 2, 3}, int64[2] column = {-1, 1}, int64[1] second = {1}>
    {
        pixels = Cast<to = 1>(radiograph)
        mean = ReduceMean<keepdims = 0>(pixels, axes)
        valid_probability = Reshape(mean, column)
        other = Gather<axis = 0>(valid_probability, second)
        accepted = GreaterOrEqual(valid_probability, other)
    }"""


def log_of(server: TritonServer) -> Path:
    return server.home / "triton.log"


def memory_of(server: TritonServer) -> list[Path]:
    return list(SHARED_MEMORY.glob(f"{server._memory_prefix}*"))


def why_it_does_not_start(server: TritonServer) -> ServerFailedError:
    with pytest.raises(ServerFailedError) as caught, running(server, log_of(server)):
        pass
    return caught.value


def test_ready_soon(toy_server: RunningToys) -> None:
    assert toy_server.seconds_to_ready < 15


def test_an_empty_repository_is_ready(make_server: Make, tmp_path: Path) -> None:
    server = make_server(tmp_path)
    with running(server, log_of(server)):
        assert answers_ok(server.addresses.ready_url)


def test_a_clean_stop_leaves_nothing(make_server: Make, toy_repository: Write) -> None:
    server = make_server(toy_repository())
    with running(server, log_of(server)) as process:
        assert memory_of(server)
        assert len(instances(process.pid, DECODE)) == 2
    assert not is_group_alive(process.pid)
    assert memory_of(server) == []
    assert all(port.is_free() for port in server.addresses.ports)


def test_folders_with_any_name(make_server: Make, toy_repository: Write, tmp_path: Path) -> None:
    odd = tmp_path / "a folder; $(touch owned) & 'quoted' \"twice\" #1 50%"
    repository = shutil.copytree(toy_repository(), odd / "model repository")
    server = make_server(repository)
    home = odd / "home"
    server = TritonServer(repository=repository, home=home, admin_key=ADMIN_KEY, addresses=server.addresses)
    with running(server, home / "triton.log"):
        served = ask_front_door(server.addresses.grpc, [BRIGHT])
    assert served["valid_probability"] == ask_directly(repository, [BRIGHT])["valid_probability"]
    assert not list(odd.rglob("owned"))


class TestRefusesToStart:
    @pytest.mark.parametrize(
        ("index", "variable"), [(0, "HILUM_HTTP_PORT"), (1, "HILUM_GRPC_PORT"), (2, "HILUM_METRICS_PORT")]
    )
    def test_on_a_taken_port(self, make_server: Make, tmp_path: Path, index: int, variable: str) -> None:
        server = make_server(tmp_path)
        port = server.addresses.ports[index].number
        with socket.socket() as other:
            other.bind(("127.0.0.1", port))
            other.listen()
            with pytest.raises(PortTakenError, match=rf"port {port} on 127\.0\.0\.1.*{variable}"):
                TritonProcess(server, log_of(server))

    def test_beside_a_triton_on_the_same_ports(self, toy_server: RunningToys, tmp_path: Path) -> None:
        second = TritonServer(
            repository=tmp_path, home=tmp_path, admin_key=ADMIN_KEY, addresses=toy_server.server.addresses
        )
        with pytest.raises(PortTakenError):
            TritonProcess(second, log_of(second))

    def test_without_a_repository(self, make_server: Make, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"no model repository at .*missing"):
            TritonProcess(make_server(tmp_path / "missing"), tmp_path / "log")

    def test_with_the_network_of_another_model(self, make_server: Make, toy_repository: Write) -> None:
        repository = toy_repository()
        shutil.copy(repository / FILTER / "1" / "model.onnx", repository / CLASSIFIER / "1" / "model.onnx")
        error = why_it_does_not_start(make_server(repository))
        assert "'xray_classifier' version 1" in error.causes[0]
        assert "expected an input 'accepted', found radiograph" in error.causes[0]
        assert len(error.causes) <= 5

    def test_with_a_network_that_is_none(self, make_server: Make, toy_repository: Write) -> None:
        repository = toy_repository()
        (repository / FILTER / "1" / "model.onnx").write_bytes(b"no network")
        error = why_it_does_not_start(make_server(repository))
        assert "ONNX Runtime cannot load" in error.causes[0]
        assert "xray_filter/1/model.onnx" in error.causes[0]

    def test_with_a_frozen_batch(self, make_server: Make, toy_repository: Write) -> None:
        repository = toy_repository()
        onnx.save(parser.parse_model(FROZEN_FILTER), repository / FILTER / "1" / "model.onnx")
        error = why_it_does_not_start(make_server(repository))
        assert "found the shape [2, 1, 256, 256]" in error.causes[0]

    def test_with_other_dtypes(self, make_server: Make, toy_repository: Write) -> None:
        repository = toy_repository()
        network = toy_filter()
        network.graph.output[1].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        network.graph.node[-1].CopyFrom(
            onnx.helper.make_node("Sub", ["valid_probability", "threshold"], ["accepted"])
        )
        onnx.save(network, repository / FILTER / "1" / "model.onnx")
        error = why_it_does_not_start(make_server(repository))
        assert "expected output 'accepted' as tensor(bool), found tensor(float)" in error.causes[0]

    def test_with_a_configuration_that_cannot_be_read(self, make_server: Make, toy_repository: Write) -> None:
        repository = toy_repository()
        with (repository / FILTER / "config.pbtxt").open("a") as stream:
            stream.write("max_batch: 3\n")
        causes = why_it_does_not_start(make_server(repository)).causes
        assert any('no field named "max_batch"' in cause for cause in causes)
        assert any("xray_filter" in cause for cause in causes)

    def test_without_the_releases_thresholds(self, make_server: Make, toy_repository: Write) -> None:
        repository = toy_repository()
        config = repository / MONITOR / "config.pbtxt"
        config.write_text(config.read_text().replace("operating_point.1", "operating_point.2"))
        error = why_it_does_not_start(make_server(repository))
        assert "needs the parameter 'operating_point.1'" in error.causes[0]
        assert "At:" not in str(error)


class TestWatch:
    def test_sees_the_death_of_a_python_model(self, make_server: Make, toy_repository: Write) -> None:
        server = make_server(toy_repository())
        with running(server, log_of(server)) as process:
            os.kill(instances(process.pid, DECODE)[0], signal.SIGKILL)
            with pytest.raises(ServerFailedError, match="lost a Python model's process"):
                process.watch()
            start = time.monotonic()
        assert time.monotonic() - start < 10
        assert not is_group_alive(process.pid)
        assert memory_of(server) == []


class TestSurvives:
    def test_a_failure_of_the_decoder_itself(self, make_server: Make, toy_repository: Write) -> None:
        """It is no fault of the caller's, and its message may quote the file."""
        repository = toy_repository()
        with (repository / DECODE / "1" / "model.py").open("a") as stream:
            stream.write("def decode_radiograph(data): raise KeyError(data.decode())\n")
        server = make_server(repository)
        with running(server, log_of(server)):
            for _ in range(4):
                with pytest.raises(InferenceServerException, match=r"KeyError.*server's log") as caught:
                    ask_front_door(server.addresses.grpc, [b"HOSTILE"])
                assert caught.value.status() == "StatusCode.INTERNAL"
                assert "HOSTILE" not in str(caught.value)
            series = scrape_settled(server)
        assert series['hilum_undecodable_total{reason="internal_error"}'] == 4
        assert series['hilum_images_total{outcome="undecodable"}'] == 4
        log = log_of(server).read_text()
        assert "xray_decode: KeyError at " in log
        assert "HOSTILE" not in log

    def test_a_request_that_the_network_cannot_bear(self, make_server: Make, toy_repository: Write) -> None:
        repository = toy_repository()
        onnx.save(parser.parse_model(PAIRS_ONLY_FILTER), repository / FILTER / "1" / "model.onnx")
        server = make_server(repository)
        with running(server, log_of(server)):
            for _ in range(3):
                with pytest.raises(InferenceServerException, match="ONNX Runtime failed"):
                    ask_front_door(server.addresses.grpc, [BRIGHT])
                assert ask_front_door(server.addresses.grpc, [BRIGHT] * 2)["accepted"].all()

    def test_the_reload_of_a_model_that_counts(self, make_server: Make, toy_repository: Write) -> None:
        """Were a metric freed with the old instance, the counts would be lost or the server would hang."""
        repository = toy_repository()
        server = make_server(repository)
        headers = {f"triton-grpc-protocol-{ADMIN_KEY_NAME}": ADMIN_KEY}
        with (
            ThreadPoolExecutor() as pool,
            running(server, log_of(server)) as process,
            grpcclient.InferenceServerClient(server.addresses.grpc) as admin,
        ):
            watch = pool.submit(process.watch)
            for count in range(1, 4):
                ask_front_door(server.addresses.grpc, [BRIGHT])
                if count % 2:  # else what was counted is handed on by the model that is leaving
                    assert scrape_settled(server)['hilum_images_total{outcome="accepted"}'] == count
                for model in (MONITOR, DECODE):
                    with (repository / model / "config.pbtxt").open("a") as stream:
                        stream.write(f'parameters {{ key: "touched{count}" value {{ string_value: "" }} }}\n')
                    admin.load_model(model, headers=headers, client_timeout=30)
            ask_front_door(server.addresses.grpc, [BRIGHT])
            series = scrape_settled(server)
            assert not watch.done()
        assert series['hilum_images_total{outcome="accepted"}'] == 4
        assert series["hilum_decode_duration_seconds_count"] == 4

    def test_a_server_that_was_killed_leaves_no_memory_to_the_next(
        self, make_server: Make, toy_repository: Write
    ) -> None:
        server = make_server(toy_repository())
        killed = TritonProcess(server, log_of(server))
        killed.wait_ready()
        os.killpg(killed.pid, signal.SIGKILL)
        with pytest.raises(ServerFailedError, match="ended with status -9"):
            killed.watch()
        left = memory_of(server)
        assert left
        with running(server, log_of(server)):
            assert not set(left) & set(memory_of(server))


class TestServeCommand:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_runs_until_it_is_told_to_stop(self, toy_repository: Write, tmp_path: Path, number: int) -> None:
        http, grpc, metrics = map(str, free_ports(3))
        process = serve(tmp_path, toy_repository(), http, grpc, metrics)
        assert process.stdout
        assert process.stdout.readline().split() == ["gRPC", f"127.0.0.1:{grpc}"]
        assert ask_front_door(f"127.0.0.1:{grpc}", [BRIGHT])["accepted"].all()
        servers = [int(pid) for pid in children(process.pid)]
        assert servers
        process.send_signal(number)
        assert process.wait(60) == 0
        process.communicate()
        assert not any(is_group_alive(pid) for pid in servers)

    def test_says_why_it_cannot(self, toy_server: RunningToys, tmp_path: Path) -> None:
        addresses = toy_server.server.addresses
        ports = (str(addresses.http_port), str(addresses.grpc_port), str(addresses.metrics_port))
        process = serve(tmp_path, toy_server.server.repository, *ports)
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 1
        assert f"Error: Triton's HTTP service needs port {addresses.http_port}" in stderr
        assert "Traceback" not in stderr

    def test_says_that_a_server_died(self, toy_repository: Write, tmp_path: Path) -> None:
        process = serve(tmp_path, toy_repository(), *map(str, free_ports(3)))
        assert process.stdout
        process.stdout.readline()
        for pid in children(process.pid):
            os.kill(pid, signal.SIGKILL)
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "Triton ended with status -9" in stderr


def serve(home: Path, repository: Path, http: str, grpc: str, metrics: str) -> subprocess.Popen[str]:
    """Start `hilum serve`."""
    ports = ["--http-port", http, "--grpc-port", grpc, "--metrics-port", metrics]
    return subprocess.Popen(
        [sys.executable, "-m", "hilum", "serve", "--repository", repository, *ports],
        cwd=REPOSITORY,
        env=os.environ | {"HILUM_HOME": str(home)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
