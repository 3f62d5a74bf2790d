"""One file, whatever it is, and a server that is slow or lying: an answer always, and never a lie."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray

from clients.errors import RadiographRefusedError
from clients.results import Screening
from dashboard.examine import examining
from dashboard.examine.examination import NONSENSE, REFUSALS
from dashboard.examine.examining import examine
from dashboard.sources import triton_api
from hilum.contract import ACTIVATION_MAP, PROBABILITIES, VALID_PROBABILITY
from hilum.radiograph import decode_radiograph
from hilum.settings import settings
from tests.support.examinations import POINT, screened
from tests.support.fake_front_door import FakeFrontDoor
from tests.support.grpc_server import grpc_server
from tests.support.image_files import drawn_picture, encoded

FILM = encoded(drawn_picture(), "PNG")

OPERATING_POINT = triton_api.operating_point
"""The true one."""


@pytest.fixture(autouse=True)
def _answering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_api, "operating_point", lambda _: POINT)


def test_one_picture_is_decoded_at_a_time_however_many_readers_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy = threading.Lock()

    def decode_alone(image: bytes) -> NDArray[np.uint8]:
        assert busy.acquire(blocking=False), "two at once"
        try:
            return decode_radiograph(image)
        finally:
            busy.release()

    monkeypatch.setattr(triton_api, "screen", lambda _: screened("covid19"))
    monkeypatch.setattr(examining, "decode_radiograph", decode_alone)
    with ThreadPoolExecutor(8) as readers:
        examinations = list(readers.map(examine, [f"{n}.png" for n in range(30)], [FILM] * 30))
    assert all(one.screening is not None for one in examinations)


def test_a_file_that_is_too_large_is_not_sent() -> None:
    assert examine("big.png", b"x" * (64 * 2**20 + 1)).words == REFUSALS["too_many_bytes"]


def test_a_file_that_only_the_server_refuses_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: bytes) -> Screening:
        raise RadiographRefusedError("no")

    monkeypatch.setattr(triton_api, "screen", refuse)
    assert examine("film.png", FILM).words == "This file cannot be read as a radiograph."


def test_a_file_that_only_the_server_reads_has_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_api, "screen", lambda _: screened("covid19"))
    assert examine("film.png", FILM[:60]).words == REFUSALS["corrupt"]


def test_a_name_cannot_turn_the_direction_of_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_api, "screen", lambda _: screened("covid19"))
    assert examine("\u202egnp.exe\n.png", FILM).file == "\ufffdgnp.exe\ufffd.png"


class LyingFrontDoor(FakeFrontDoor):
    """Answers with one thing changed."""

    def __init__(self) -> None:
        super().__init__()
        self.lie: Callable[[object], None] = lambda _: None

    def ModelInfer(self, request: object, context: grpc.ServicerContext) -> object:  # noqa: N802
        response = super().ModelInfer(request, context)
        self.lie(response)
        return response


def output(name: str, values: NDArray[np.float32]) -> Callable[[object], None]:
    """Return the lie that one output has these values."""

    def lie(response: object) -> None:
        for index, one in enumerate(response.outputs):  # type: ignore[attr-defined]
            if one.name == name:
                one.shape[:] = values.shape
                response.raw_output_contents[index] = values.tobytes()  # type: ignore[attr-defined]

    return lie


def cut(response: object) -> None:
    response.raw_output_contents[0] = b"\0"  # type: ignore[attr-defined]


def silent(response: object) -> None:
    response.ClearField("outputs")  # type: ignore[attr-defined]
    response.ClearField("raw_output_contents")  # type: ignore[attr-defined]


def nameless(response: object) -> None:
    response.model_version = ""  # type: ignore[attr-defined]


LIES = {
    "probabilities that are not a number": output(PROBABILITIES.name, np.full((1, 3), np.nan, np.float32)),
    "probabilities above one": output(PROBABILITIES.name, np.array([[1.5, -0.2, -0.3]], np.float32)),
    "probabilities of nothing": output(PROBABILITIES.name, np.zeros((1, 3), np.float32)),
    "a filter that is not a number": output(VALID_PROBABILITY.name, np.full((1, 1), np.nan, np.float32)),
    "an infinite map": output(ACTIVATION_MAP.name, np.full((1, 3, 2, 2), np.inf, np.float32)),
    "an empty map": output(ACTIVATION_MAP.name, np.zeros((1, 3, 0, 2), np.float32)),
    "a map too large to keep": output(ACTIVATION_MAP.name, np.zeros((1, 3, 500, 500), np.float32)),
    "an output cut short": cut,
    "no output": silent,
    "no release": nameless,
}


@pytest.fixture
def liar(monkeypatch: pytest.MonkeyPatch) -> Iterator[LyingFrontDoor]:
    monkeypatch.setattr(triton_api, "operating_point", OPERATING_POINT)
    door = LyingFrontDoor()
    with grpc_server(door) as address:
        monkeypatch.setenv("HILUM_TRITON_URL", address)
        settings.cache_clear()
        triton_api.client.clear()
        yield door
        triton_api.client().close()
        triton_api.client.clear()
    settings.cache_clear()


def test_a_lie_is_never_shown_as_an_answer_and_the_truth_after_it_is(liar: LyingFrontDoor) -> None:
    for name, lie in LIES.items():
        liar.lie = lie
        examination = examine("film.png", FILM)
        assert examination.screening is None, name
        assert examination.words == NONSENSE, name
    liar.lie = lambda _: None
    assert examine("film.png", FILM).screening is not None


def test_a_rejection_is_no_lie(liar: LyingFrontDoor) -> None:
    liar.accepts = False
    assert "does not look like" in examine("hand.png", FILM).words
