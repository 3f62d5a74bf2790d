"""The embedded Triton with the toy networks: what it answers, refuses, counts and leaves behind."""

import csv
import http.client
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from hilum.contract import MODELS, SCREENING
from hilum.errors import ServiceUnreachableError
from hilum.probe import answers_ok
from hilum.radiograph import REASONS
from hilum.settings import ADMIN_KEY_NAME
from hilum.triton.admin import fetch_model_states
from hilum.triton.server import TritonServer
from tests.support.data import shared_data
from tests.support.front_door import ask_directly, ask_front_door
from tests.support.image_files import PATIENT_NAME, dicom_file, drawn_picture, encoded
from tests.support.servers import ADMIN_KEY, RunningToys, scrape, scrape_settled

ADMIN_HEADERS = {f"triton-grpc-protocol-{ADMIN_KEY_NAME}": ADMIN_KEY}

BRIGHT = encoded(drawn_picture(300, 300), "PNG")
DARK = encoded(np.zeros((300, 300), np.uint8), "PNG")
WIDE = encoded(drawn_picture(400, 300), "JPEG")


def fetch(server: TritonServer, method: str, path: str) -> tuple[int, bytes]:
    """Call the HTTP service without the admin key."""
    connection = http.client.HTTPConnection(server.addresses.host, server.addresses.http_port, timeout=10)
    try:
        connection.request(method, path, body=b"{}")
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


class TestAnswers:
    def test_equal_onnx_runtime_run_directly(self, toy_server: RunningToys) -> None:
        images = [BRIGHT, DARK, WIDE]
        served = ask_front_door(toy_server.address, images)
        direct = ask_directly(toy_server.server.repository, images)
        assert set(served) == {tensor.name for tensor in MODELS[SCREENING].outputs}
        for name, array in direct.items():
            np.testing.assert_array_equal(served[name], array, err_msg=name)
            assert served[name].dtype == array.dtype
        assert served["accepted"].tolist() == [[True], [False], [True]]

    def test_a_rejected_row_alone_is_nan(self, toy_server: RunningToys) -> None:
        served = ask_front_door(toy_server.address, [BRIGHT, DARK, WIDE])
        for name in ("probabilities", "activation_map", "embedding"):
            missing = np.isnan(served[name]).reshape(3, -1)
            assert missing.all(axis=1).tolist() == [False, True, False]
            assert missing.any(axis=1).tolist() == [False, True, False]

    @pytest.mark.parametrize("name", [tensor.name for tensor in MODELS[SCREENING].outputs])
    def test_each_output_can_be_asked_for_alone(self, toy_server: RunningToys, name: str) -> None:
        served = ask_front_door(toy_server.address, [BRIGHT], [name])
        assert list(served) == [name]
        np.testing.assert_array_equal(
            served[name], ask_directly(toy_server.server.repository, [BRIGHT])[name]
        )

    def test_concurrent_requests_never_get_each_others_answers(self, toy_server: RunningToys) -> None:
        images = [encoded(np.full((64, 64), level, np.uint8), "PNG") for level in range(0, 250, 10)]
        expected = ask_directly(toy_server.server.repository, images)["valid_probability"]

        def ask(index: int) -> float:
            answer = ask_front_door(toy_server.address, [images[index]])
            return float(answer["valid_probability"][0, 0])

        order = np.random.default_rng(7).integers(0, len(images), 200).tolist()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, order))
        assert answers == expected[order, 0].tolist()

    def test_the_version_is_the_release(self, toy_server: RunningToys) -> None:
        with grpcclient.InferenceServerClient(toy_server.address) as client:
            assert client.get_model_metadata(SCREENING).versions == ["1"]


class TestRefusals:
    def test_rubbish_is_the_callers_error(self, toy_server: RunningToys) -> None:
        with pytest.raises(InferenceServerException, match=r"Expected a JPEG, PNG, TIFF") as caught:
            ask_front_door(toy_server.address, [b"rubbish"])
        assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"

    def test_a_refusal_names_the_image_of_a_batch(self, toy_server: RunningToys) -> None:
        with pytest.raises(InferenceServerException, match=r"Image 2 of 3: Expected"):
            ask_front_door(toy_server.address, [BRIGHT, b"", DARK])

    def test_more_images_than_a_request_may_hold(self, toy_server: RunningToys) -> None:
        with pytest.raises(InferenceServerException) as caught:
            ask_front_door(toy_server.address, [DARK] * 17)
        assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"

    def test_nothing_of_a_header_is_answered_or_logged(self, toy_server: RunningToys) -> None:
        cut_short = dicom_file(drawn_picture(), PatientName=PATIENT_NAME, PixelData=b"\0\0")
        with pytest.raises(InferenceServerException) as caught:
            ask_front_door(toy_server.address, [cut_short])
        assert "HOSTILE" not in str(caught.value)
        assert "HOSTILE" not in (toy_server.server.home / "triton.log").read_text()

    def test_hostile_files_are_answered_or_refused(self, toy_server: RunningToys) -> None:
        data = shared_data()
        if data is None:
            pytest.skip("no hostile files here: set HILUM_DATA to a folder that holds hostile/index.csv")
        with (data / "hostile" / "index.csv").open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert len(rows) > 70
        for row in rows:
            verdict = "accept"
            try:
                ask_front_door(toy_server.address, [(data / "hostile" / row["body"]).read_bytes()])
            except InferenceServerException as error:
                verdict = "reject" if error.status() == "StatusCode.INVALID_ARGUMENT" else str(error)
            assert verdict in (row["expected"], row["also_ok"]), row["file"]
        assert answers_ok(toy_server.server.addresses.ready_url)
        assert ask_front_door(toy_server.address, [BRIGHT])["accepted"].all()


class TestAdminCalls:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/v2/repository/index"),
            ("POST", f"/v2/repository/models/{SCREENING}/load"),
            ("POST", f"/v2/repository/models/{SCREENING}/unload"),
            ("GET", "/v2/systemsharedmemory/status"),
            ("POST", "/v2/systemsharedmemory/region/any/register"),
            ("POST", "/v2/systemsharedmemory/unregister"),
            ("GET", "/v2/cudasharedmemory/status"),
            ("POST", "/v2/cudasharedmemory/region/any/register"),
            ("GET", "/v2/trace/setting"),
            ("POST", f"/v2/models/{SCREENING}/trace/setting"),
            ("GET", "/v2/logging"),
            ("POST", "/v2/logging"),
            ("GET", "/v2/models/stats"),
            ("GET", f"/v2/models/{SCREENING}/stats"),
        ],
    )
    def test_http_refuses_them_without_the_key(self, toy_server: RunningToys, method: str, path: str) -> None:
        assert fetch(toy_server.server, method, path)[0] == 403

    def test_grpc_refuses_them_without_the_key(self, toy_server: RunningToys) -> None:
        with grpcclient.InferenceServerClient(toy_server.address) as client:
            for call in (
                client.get_model_repository_index,
                lambda: client.load_model(SCREENING),
                lambda: client.unload_model(SCREENING),
                client.get_system_shared_memory_status,
                lambda: client.register_system_shared_memory("region", "/dev/shm/x", 8),
                client.unregister_system_shared_memory,
                client.get_cuda_shared_memory_status,
                lambda: client.register_cuda_shared_memory("region", b"aGFuZGxl", 0, 8),
                client.get_trace_settings,
                lambda: client.update_trace_settings(settings={"trace_file": "/tmp/x"}),
                client.get_log_settings,
                lambda: client.update_log_settings({"log_file": "/tmp/x"}),
                client.get_inference_statistics,
            ):
                with pytest.raises(InferenceServerException, match="restricted"):
                    call()

    def test_clients_read_what_they_need_without_it(self, toy_server: RunningToys) -> None:
        with grpcclient.InferenceServerClient(toy_server.address) as client:
            assert client.is_server_ready()
            assert client.get_model_config(SCREENING).config.parameters["covid19_threshold"].string_value

    def test_the_key_opens_them(self, toy_server: RunningToys) -> None:
        states = fetch_model_states(toy_server.address, ADMIN_KEY)
        assert {(state.model, state.version, state.state) for state in states} == {
            (name, "1", "READY") for name in MODELS
        }

    def test_another_key_does_not(self, toy_server: RunningToys) -> None:
        with pytest.raises(ServiceUnreachableError, match="HILUM_ADMIN_KEY"):
            fetch_model_states(toy_server.address, "another")


class TestMetrics:
    def test_every_series_is_there_from_the_start(self, toy_server: RunningToys) -> None:
        series = scrape(toy_server.server)
        outcomes = ("accepted", "rejected", "undecodable")
        assert {f'hilum_images_total{{outcome="{outcome}"}}' for outcome in outcomes} <= set(series)
        reasons = (*REASONS, "internal_error")
        assert {f'hilum_undecodable_total{{reason="{reason}"}}' for reason in reasons} <= set(series)
        findings = ("no_finding", "lung_opacity", "covid19")
        assert {f'hilum_findings_total{{finding="{name}",release="1"}}' for name in findings} <= set(series)

    def test_images_and_findings_are_counted(self, toy_server: RunningToys) -> None:
        before = scrape_settled(toy_server.server)
        ask_front_door(toy_server.address, [BRIGHT, DARK, WIDE])
        for image in (b"rubbish", b""):
            with pytest.raises(InferenceServerException):
                ask_front_door(toy_server.address, [image])
        after = scrape_settled(toy_server.server)
        grown = {name: after[name] - before[name] for name in after if after[name] != before[name]}
        assert grown["hilum_decode_duration_seconds_count"] == 5
        assert 0 < grown["hilum_decode_duration_seconds_sum"] < 5
        findings = {name: grown[name] for name in grown if name.startswith("hilum_findings_total")}
        assert sum(findings.values()) == 2
        totals = {name for name in grown if "_total{" in name}
        assert {name: grown[name] for name in totals - set(findings)} == {
            'hilum_images_total{outcome="accepted"}': 2,
            'hilum_images_total{outcome="rejected"}': 1,
            'hilum_images_total{outcome="undecodable"}': 2,
            'hilum_undecodable_total{reason="unsupported_format"}': 1,
            'hilum_undecodable_total{reason="empty"}': 1,
        }
