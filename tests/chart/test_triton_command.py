"""The command line that the chart gives to Triton's container starts the real server, rightly closed."""

import http.client
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from hilum.contract import IMAGE_BYTES, SCREENING
from hilum.probe import answers_ok
from hilum.tls import TlsFiles
from hilum.triton.addresses import TritonAddresses
from hilum.triton.admin import admin_headers
from hilum.triton.alive import find_fault
from hilum.triton.channel import connect
from hilum.triton.process import TritonProcess, running
from tests.support.certificates import Authority
from tests.support.chart.clusters import cluster
from tests.support.chart.local_triton import RenderedTriton
from tests.support.front_door import TIMEOUT_S, Arrays, ask_directly
from tests.support.helm import CHART, Helm, load_values
from tests.support.image_files import drawn_picture, encoded
from tests.support.ports import free_ports
from tests.support.servers import ADMIN_KEY
from tests.support.toy_release import toy_release, write_toy_repository

BRIGHT = encoded(drawn_picture(300, 300), "PNG")
DARK = encoded(np.zeros((300, 300), np.uint8), "PNG")

TLS_VALUES = {
    "triton": {"tls": {"enabled": True, "existingSecret": "triton-tls", "mutual": True}},
    "rollout": {"clientTls": {"existingSecret": "rollout-tls", "mutual": True}},
}

ADMIN_CALLS: dict[str, Callable[..., object]] = {
    "model-repository": lambda client, **how: client.get_model_repository_index(**how),
    "load": lambda client, **how: client.load_model(SCREENING, **how),
    "unload": lambda client, **how: client.unload_model(SCREENING, **how),
    "shared-memory": lambda client, **how: client.get_system_shared_memory_status(**how),
    "statistics": lambda client, **how: client.get_inference_statistics(SCREENING, **how),
    "trace": lambda client, **how: client.get_trace_settings(**how),
    "logging": lambda client, **how: client.get_log_settings(**how),
}
"""Calls that change the server, or tell what is not everybody's business."""

ADMIN_PATHS = {
    "model-repository": ("POST", "/v2/repository/index"),
    "unload": ("POST", f"/v2/repository/models/{SCREENING}/unload"),
    "shared-memory": ("GET", "/v2/systemsharedmemory/status"),
    "statistics": ("GET", "/v2/models/stats"),
    "trace": ("GET", "/v2/trace/setting"),
    "logging": ("GET", "/v2/logging"),
}
"""The same over HTTP."""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository with release 1 of the toy networks, as the rollout writes one."""
    folder = tmp_path_factory.mktemp("toys")
    return write_toy_repository(folder / "model_repository", toy_release(), folder / "scratch")


@pytest.fixture(scope="module")
def make_rendered(
    helm: Helm, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., RenderedTriton]:
    """Makes a server of the chart's command line for laptops, with more values."""

    def make(extra: dict[str, dict[str, object]], certificates: Path | None = None) -> RenderedTriton:
        values = load_values(CHART / "ci" / "laptop-cpu-values.yaml")
        merged = {key: {**values.get(key, {}), **extra.get(key, {})} for key in values.keys() | extra.keys()}
        deployment = helm.render(merged, cluster()).find("Deployment", "hilum-triton")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        http_port, grpc, metrics = free_ports(3)
        return RenderedTriton(
            repository=repository,
            home=tmp_path_factory.mktemp("home"),
            admin_key=ADMIN_KEY,
            addresses=TritonAddresses(
                host="127.0.0.1", http_port=http_port, grpc_port=grpc, metrics_port=metrics
            ),
            container=container,
            certificates=certificates,
        )

    return make


@pytest.fixture(scope="module")
def plain(make_rendered: Callable[..., RenderedTriton]) -> Iterator[TritonProcess]:
    """A running server without TLS."""
    server = make_rendered({})
    with running(server, server.home / "triton.log") as process:
        yield process


def ask(client: grpcclient.InferenceServerClient, images: list[bytes]) -> Arrays:
    """Ask the front door."""
    tensor = grpcclient.InferInput(IMAGE_BYTES.name, [len(images), 1], IMAGE_BYTES.dtype)
    tensor.set_data_from_numpy(np.array([[image] for image in images], dtype=np.object_))
    result = client.infer(SCREENING, [tensor], client_timeout=TIMEOUT_S)
    return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}


def check_answers(client: grpcclient.InferenceServerClient, repository: Path) -> None:
    """The front door answers what the networks say."""
    served, direct = ask(client, [BRIGHT, DARK]), ask_directly(repository, [BRIGHT, DARK])
    for name, array in direct.items():
        np.testing.assert_array_equal(served[name], array, err_msg=name)
    assert served["accepted"].tolist() == [[True], [False]]


class TestPlain:
    def test_answers(self, plain: TritonProcess, repository: Path) -> None:
        with connect(plain.server.addresses.grpc, None) as client:
            check_answers(client, repository)

    @pytest.mark.parametrize("call", ADMIN_CALLS)
    def test_admin_calls_need_the_key(self, plain: TritonProcess, call: str) -> None:
        with connect(plain.server.addresses.grpc, None) as client:
            for headers in (None, admin_headers("another")):
                with pytest.raises(InferenceServerException, match="This protocol is restricted"):
                    ADMIN_CALLS[call](client, headers=headers)
            if call != "unload":
                ADMIN_CALLS[call](client, headers=admin_headers(ADMIN_KEY))

    @pytest.mark.parametrize("call", ADMIN_PATHS)
    def test_admin_calls_over_http_need_the_key(self, plain: TritonProcess, call: str) -> None:
        addresses = plain.server.addresses
        connection = http.client.HTTPConnection(addresses.host, addresses.http_port, timeout=10)
        method, path = ADMIN_PATHS[call]
        try:
            connection.request(method, path, body=b"{}")
            assert connection.getresponse().status == 403
        finally:
            connection.close()

    def test_what_callers_need_is_open(self, plain: TritonProcess) -> None:
        with connect(plain.server.addresses.grpc, None) as client:
            assert client.is_server_ready()
            assert client.get_model_config(SCREENING).config.name == SCREENING
        assert answers_ok(plain.server.addresses.metrics_url)

    @pytest.mark.parametrize("probe", ["live", "ready"])
    def test_the_probe_of_the_container_finds_it_well(self, plain: TritonProcess, probe: str) -> None:
        addresses = plain.server.addresses
        url = f"http://{addresses.host}:{addresses.http_port}"
        assert find_fault(probe, pid=plain.pid, url=url) == ""
        assert "does not answer" in find_fault(probe, pid=plain.pid, url=f"{url}9")


class TestTls:
    def test_answers_those_alone_who_show_a_certificate(
        self, make_rendered: Callable[..., RenderedTriton], repository: Path, tmp_path: Path
    ) -> None:
        authority, stranger = Authority(tmp_path, "known"), Authority(tmp_path, "stranger")
        pair, own = authority.issue("server", "127.0.0.1"), authority.issue("watcher", "watcher")
        mounted = tmp_path / "tls"  # as the Secret's keys are mounted
        mounted.mkdir()
        for name, file in {
            "tls.crt": pair.certificate,
            "tls.key": pair.key,
            "ca.crt": authority.file,
        }.items():
            (mounted / name).write_bytes(file.read_bytes())
        server = make_rendered(TLS_VALUES, mounted)
        address = server.addresses.grpc
        with running(server, server.home / "triton.log") as process:
            with connect(address, authority.client(own)) as client:
                check_answers(client, repository)
                with pytest.raises(InferenceServerException, match="This protocol is restricted"):
                    client.get_model_repository_index()
            fake = stranger.issue("watcher", "watcher")
            forged = TlsFiles(ca=authority.file, certificate=fake.certificate, key=fake.key)
            for refused in (None, authority.client(), forged, stranger.client(own)):
                with connect(address, refused) as client, pytest.raises(InferenceServerException):
                    client.is_server_live(client_timeout=TIMEOUT_S)
            probes = server.container["livenessProbe"]["exec"]["command"]
            assert probes == ["python3", "-m", "hilum.triton.alive"]
            url = f"http://127.0.0.1:{server.addresses.http_port}"
            assert find_fault("ready", pid=process.pid, url=url) == ""
