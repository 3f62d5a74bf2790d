"""The client against the real server: right numbers, and each trouble under its own name."""

import io
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import tritonclient.grpc
from numpy.typing import NDArray
from PIL import Image

from clients.batch import Batch, Outcome
from clients.client import ScreeningClient
from clients.errors import (
    DeadlineExceededError,
    ModelNotReadyError,
    RadiographRefusedError,
    ServerFailureError,
    ServerUnreachableError,
    TooLargeError,
    UnreadableFileError,
)
from clients.load import run_load
from clients.results import Screening
from hilum.contract import FINDINGS, LABELS, SCREENING
from hilum.errors import UsageError
from hilum.operating_point import OperatingPoint
from hilum.radiograph import MAX_BYTES, RadiographError, decode_radiograph
from hilum.settings import ADMIN_KEY_NAME
from hilum.triton.process import TritonProcess, running
from hilum.triton.server import TritonServer
from tests.support.ports import free_ports
from tests.support.servers import ADMIN_KEY, RunningToys
from tests.support.toy_models import TOY_EMBEDDING_SIZE, TOY_MAP_SIZE, toy_classifier, toy_filter

ADMIN_HEADERS = {f"triton-grpc-protocol-{ADMIN_KEY_NAME}": ADMIN_KEY}


def picture(seed: int, kind: str = "PNG") -> bytes:
    """Return an image file of smooth random gray; every seed has another content."""
    cells = np.random.default_rng(seed).integers(60, 255, (4, 4), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(cells).resize((320, 288), Image.Resampling.BILINEAR).save(content, kind)
    return content.getvalue()


def black() -> bytes:
    """Return an image file that the toy filter rejects."""
    content = io.BytesIO()
    Image.new("L", (300, 300)).save(content, "PNG")
    return content.getvalue()


@pytest.fixture
def client(toy_server: RunningToys) -> Iterator[ScreeningClient]:
    with ScreeningClient(toy_server.address) as client:
        yield client


@contextmanager
def own_toys(
    toy_repository: Callable[[], Path], make_server: Callable[[Path], TritonServer]
) -> Iterator[TritonProcess]:
    """Run a server that this test may change or break."""
    server = make_server(toy_repository())
    with running(server, server.home / "triton.log") as process:
        yield process


def expected(image: bytes) -> dict[str, NDArray[np.float32]]:
    """Return what ONNX Runtime says to the same image, called directly."""
    radiograph = decode_radiograph(image)[None]
    screen_filter = onnxruntime.InferenceSession(toy_filter().SerializeToString())
    classifier = onnxruntime.InferenceSession(toy_classifier().SerializeToString())
    valid, accepted = screen_filter.run(["valid_probability", "accepted"], {"radiograph": radiograph})
    names = ["probabilities", "activation_map", "embedding"]
    outputs = classifier.run(names, {"radiograph": radiograph, "accepted": accepted})
    return {"valid_probability": valid[0], **{name: out[0] for name, out in zip(names, outputs, strict=True)}}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_answers_equal_onnx_runtimes(client: ScreeningClient, kind: str) -> None:
    operating_point = OperatingPoint(dict.fromkeys(FINDINGS, 0.5))
    findings = set()
    for seed in range(12):
        image = picture(seed, kind)
        answer = client.screen(image, heatmap=True, embedding=True)
        truth = expected(image)
        assert answer.accepted
        assert answer.release == 1
        assert answer.valid_probability == pytest.approx(float(truth["valid_probability"][0]), abs=1e-6)
        assert answer.probabilities is not None
        assert answer.activation_map is not None
        assert answer.embedding is not None
        assert tuple(answer.probabilities) == LABELS
        np.testing.assert_allclose(list(answer.probabilities.values()), truth["probabilities"], atol=1e-6)
        np.testing.assert_allclose(answer.activation_map, truth["activation_map"], rtol=1e-6)
        np.testing.assert_allclose(answer.embedding, truth["embedding"], rtol=1e-6)
        assert answer.finding == operating_point.finding(truth["probabilities"].tolist())
        findings.add(answer.finding)
    assert len(findings) > 1, "the pictures must tell a right finding from a constant one"


def test_maps_and_features_come_only_when_asked_for(client: ScreeningClient) -> None:
    bare = client.screen(picture(1))
    assert bare.activation_map is None
    assert bare.embedding is None
    full = client.screen(picture(1), heatmap=True, embedding=True)
    assert full.activation_map is not None
    assert full.embedding is not None
    assert full.activation_map.shape == (len(LABELS), TOY_MAP_SIZE, TOY_MAP_SIZE)
    assert full.embedding.shape == (TOY_EMBEDDING_SIZE,)


def test_a_rejected_image_has_no_probabilities_no_finding_and_no_map(client: ScreeningClient) -> None:
    answer = client.screen(black(), heatmap=True, embedding=True)
    assert not answer.accepted
    assert answer.valid_probability == 0
    for absent in (answer.probabilities, answer.finding, answer.activation_map, answer.embedding):
        assert absent is None


@pytest.mark.parametrize("content", [b"", b"%PDF-1.4 and no radiograph", picture(0)[:500]])
def test_a_refusal_carries_the_decoders_sentence(client: ScreeningClient, content: bytes) -> None:
    with pytest.raises(RadiographError) as local:
        decode_radiograph(content)
    with pytest.raises(RadiographRefusedError) as served:
        client.screen(content)
    assert str(served.value) == str(local.value)


def test_a_file_of_the_largest_size_reaches_the_decoder_and_a_larger_one_is_not_sent(
    client: ScreeningClient,
) -> None:
    with pytest.raises(RadiographRefusedError):
        client.screen(bytes(MAX_BYTES))
    with pytest.raises(TooLargeError, match=f"{MAX_BYTES + 1:,}"):
        client.screen(bytes(MAX_BYTES + 1))


def test_threads_may_share_a_client(client: ScreeningClient) -> None:
    images = [picture(seed) for seed in range(16)]
    alone = [client.screen(image).probabilities for image in images]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda turn: client.screen(images[turn % 16]).probabilities, range(320)))
    assert answers == alone * 20


def test_a_deadline_is_kept_and_named(toy_server: RunningToys) -> None:
    with (
        ScreeningClient(toy_server.address, timeout_s=0.0005) as client,
        pytest.raises(DeadlineExceededError, match=r"0\.0005 s"),
    ):
        client.screen(picture(0))


def test_nothing_listening_is_unreachable_at_once() -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    start = time.monotonic()
    with ScreeningClient(address) as client, pytest.raises(ServerUnreachableError, match=address) as caught:
        client.screen(picture(0))
    assert time.monotonic() - start < 5
    assert caught.value.exit_code == 4


def test_a_program_that_listens_and_says_nothing_costs_the_time_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        with ScreeningClient(address, timeout_s=0.3) as client, pytest.raises(DeadlineExceededError):
            client.screen(picture(0))


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "127.0.0.1", "", "triton:"])
def test_an_address_that_is_none_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(UsageError, match="host:port"):
        ScreeningClient(url)


def test_a_time_allowed_of_zero_is_refused() -> None:
    with pytest.raises(UsageError, match="above 0"):
        ScreeningClient("127.0.0.1:8001", timeout_s=0)


def test_a_server_without_the_front_door_is_not_ready(
    toy_repository: Callable[[], Path], make_server: Callable[[Path], TritonServer]
) -> None:
    with (
        own_toys(toy_repository, make_server) as process,
        ScreeningClient(process.server.addresses.grpc) as client,
        tritonclient.grpc.InferenceServerClient(process.server.addresses.grpc) as admin,
    ):
        client.check_ready()
        admin.unload_model(SCREENING, headers=ADMIN_HEADERS)
        for call in (client.check_ready, lambda: client.screen(picture(0))):
            with pytest.raises(ModelNotReadyError, match="hilum rollout"):
                call()


def test_a_release_without_an_operating_point_is_the_servers_failure_and_not_the_callers(
    toy_repository: Callable[[], Path], make_server: Callable[[Path], TritonServer]
) -> None:
    repository = toy_repository()
    config = repository / SCREENING / "config.pbtxt"
    config.write_text(config.read_text().replace("covid19_threshold", "another_parameter"))
    server = make_server(repository)
    with (
        running(server, server.home / "triton.log"),
        ScreeningClient(server.addresses.grpc) as client,
        pytest.raises(ServerFailureError, match="release 1 has no operating point"),
    ):
        client.screen(picture(0))


def test_a_release_swapped_away_between_answer_and_question_is_asked_about_once_more(
    toy_repository: Callable[[], Path], make_server: Callable[[Path], TritonServer]
) -> None:
    class UnluckyClient(ScreeningClient):
        """A release that lies under its feet is replaced right after the first answer."""

        answers = 0

        def _infer(self, *arguments: object) -> tritonclient.grpc.InferResult:
            result = super()._infer(*arguments)  # type: ignore[arg-type]  # passed on as they came
            self.answers += 1
            if self.answers == 1:
                swap()
            return result

    with (
        own_toys(toy_repository, make_server) as process,
        UnluckyClient(process.server.addresses.grpc) as client,
        tritonclient.grpc.InferenceServerClient(process.server.addresses.grpc) as admin,
    ):
        front_door = process.server.repository / SCREENING

        def swap() -> None:
            config = front_door / "config.pbtxt"
            config.write_text(config.read_text().replace("versions: 1", "versions: 2"))
            (front_door / "2").mkdir()
            admin.load_model(SCREENING, headers=ADMIN_HEADERS)

        assert client.screen(picture(0)).release == 2
        assert client.answers == 2


def test_files_are_read_as_they_are_sent_and_answered_in_their_order(
    client: ScreeningClient, tmp_path: Path
) -> None:
    taken: list[Path] = []

    def paths() -> Iterator[Path]:
        for number in range(60):
            path = tmp_path / f"{number}.png"
            if number % 7 != 5:
                path.write_bytes(b"no image" if number % 7 == 3 else picture(number))
            taken.append(path)
            yield path

    outcomes: list[Outcome] = []
    for outcome in Batch(client, in_flight=3).screen(paths()):
        outcomes.append(outcome)
        assert len(taken) <= len(outcomes) + 2 * 3, "it runs ahead of its answers"
    assert [outcome.file for outcome in outcomes] == [str(path) for path in taken]
    for number, outcome in enumerate(outcomes):
        if number % 7 == 3:
            assert isinstance(outcome.error, RadiographRefusedError)
        elif number % 7 == 5:
            assert isinstance(outcome.error, UnreadableFileError)
        else:
            assert isinstance(outcome.screening, Screening)
            assert outcome.screening.probabilities == client.screen(picture(number)).probabilities


def test_files_that_take_too_long_do_not_end_a_batch_on_a_server_that_is_well(
    toy_server: RunningToys, tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(picture(0))
    with ScreeningClient(toy_server.address, timeout_s=0.0005) as client:
        batch = Batch(client)
        outcomes = list(batch.screen([path] * 20))
    assert batch.server_error is None
    assert len({id(outcome.error) for outcome in outcomes}) == 20, "each was sent and has an error of its own"
    assert all(isinstance(outcome.error, DeadlineExceededError) for outcome in outcomes)


def test_a_server_that_hangs_costs_one_time_out_and_not_one_for_each_file(
    toy_repository: Callable[[], Path], make_server: Callable[[Path], TritonServer], tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(picture(0))
    with (
        own_toys(toy_repository, make_server) as process,
        ScreeningClient(process.server.addresses.grpc, timeout_s=1) as client,
    ):
        client.check_ready()
        os.killpg(process.pid, signal.SIGSTOP)
        try:
            start = time.monotonic()
            batch = Batch(client, in_flight=4)
            outcomes = list(batch.screen([path] * 200))
            assert time.monotonic() - start < 10
        finally:
            os.killpg(process.pid, signal.SIGCONT)
        assert len(outcomes) == 200
        assert all(isinstance(outcome.error, DeadlineExceededError) for outcome in outcomes)
        assert isinstance(batch.server_error, DeadlineExceededError)


def test_a_load_is_counted_and_timed(toy_server: RunningToys) -> None:
    images = [picture(seed, "JPEG") for seed in range(3)]
    start = time.monotonic()
    report = run_load(toy_server.address, images, requests=40, in_flight=4)
    assert len(report.latencies_s) == 40
    assert 0 < report.latency_s(0.5) <= report.latency_s(1) <= report.duration_s <= time.monotonic() - start
    assert report.throughput == pytest.approx(40 / report.duration_s)


def test_a_load_ends_with_the_first_request_that_fails(toy_server: RunningToys) -> None:
    with pytest.raises(RadiographRefusedError, match="PDF"):
        run_load(toy_server.address, [picture(0), b"%PDF-1.4"], requests=40, in_flight=4)
