"""Pictures that the drop zone sends: bounded, each for its own reader, and none on the disk."""

import asyncio
import gc
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.types import Message

from clients.errors import DeadlineExceededError, OverloadedError, ServerUnreachableError
from clients.results import Screening
from dashboard.errors import SourceUnreachableError
from dashboard.examine import uploads
from dashboard.examine.examination import FAULTS, REFUSALS
from dashboard.examine.reader import Reader, find_reader
from dashboard.examine.uploads import UPLOAD_PATH, Uploads
from dashboard.sources import triton_api
from tests.support.examinations import POINT, screened
from tests.support.image_files import drawn_picture, encoded

FILM = encoded(drawn_picture(), "PNG")


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    """A reader, and a release that answers."""
    monkeypatch.setattr(triton_api, "operating_point", lambda _: POINT)
    monkeypatch.setattr(triton_api, "screen", lambda _: screened("covid19"))
    return Reader()


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(Starlette(routes=[Uploads().route])) as client:
        yield client


def send(
    client: TestClient, token: str, file: str = "film.png", content: bytes | Iterator[bytes] = FILM
) -> Any:
    """Return what a picture is answered with."""
    headers = {"Hilum-Reader": token, "Hilum-File": quote(file)}
    return client.post(UPLOAD_PATH, content=content, headers=headers)


def test_a_picture_is_answered_at_once_and_remembered_for_its_reader_alone(
    client: TestClient, reader: Reader
) -> None:
    other = Reader()
    answer = send(client, reader.token, "tórax\u202e.png").json()
    (examination,) = reader.examinations
    assert answer == {
        "file": "tórax\ufffd.png",
        "words": "Worth a look: the picture resembles those with COVID-19 (80 %).",
        "key": examination.key,
        "gone": False,
    }
    assert other.examinations == []


def test_it_is_answered_in_the_language_of_its_reader(client: TestClient, reader: Reader) -> None:
    reader.language = "pt"
    assert send(client, reader.token).json()["words"].startswith("Vale a pena olhar")


def test_whoever_knows_no_reader_or_one_who_is_gone_is_told_so(client: TestClient, reader: Reader) -> None:
    gone = Reader()
    token = gone.token
    assert find_reader(token) is gone
    del gone
    gc.collect()
    for unknown in ("", "guessed", token):
        answer = send(client, unknown)
        assert answer.status_code == 404
        assert answer.json()["words"].startswith("This page is out of date.")
    assert reader.examinations == []


def test_a_file_that_is_too_large_is_not_read(client: TestClient, reader: Reader) -> None:
    headers = {"Hilum-Reader": reader.token, "Content-Length": str(64 * 2**20 + 1)}
    answer = client.post(UPLOAD_PATH, content=b"x", headers=headers)
    assert answer.status_code == 413
    assert answer.json()["words"] == REFUSALS["too_many_bytes"]
    assert reader.examinations == []


def test_one_that_does_not_say_its_size_is_read_only_so_far(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_LARGEST", 1000)
    lengths: list[int] = []

    def screen(image: bytes) -> Screening:
        lengths.append(len(image))
        return screened("covid19")

    monkeypatch.setattr(triton_api, "screen", screen)
    parts = [{"type": "http.request", "body": b"x" * 400, "more_body": True} for _ in range(10)]
    assert asyncio.run(arriving(Uploads(), reader, iter(parts))) == 200
    assert lengths == [1200]


def test_what_arrives_and_is_examined_is_bounded_over_all_readers(
    client: TestClient, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_ARRIVING_MIB", len(FILM) / 2**20)
    other, meanwhile = Reader(), []

    def screen(_: bytes) -> Screening:
        meanwhile.append(send(client, other.token, content=b"x"))
        return screened("covid19")

    monkeypatch.setattr(triton_api, "screen", screen)
    assert send(client, reader.token).status_code == 200
    assert [answer.status_code for answer in meanwhile] == [503]
    assert meanwhile[0].json()["words"] == FAULTS[OverloadedError]
    monkeypatch.setattr(triton_api, "screen", lambda _: screened("covid19"))
    assert send(client, other.token).status_code == 200, "the first is through"


@pytest.mark.parametrize(
    ("cause", "trouble", "gone"),
    [
        (ServerUnreachableError("", ""), "ServerUnreachable", True),
        (DeadlineExceededError("", 20), "", False),
    ],
    ids=["the server is gone", "it is slow with one picture"],
)
def test_more_is_useless_only_where_the_server_is_gone(
    client: TestClient,
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
    *,
    cause: Exception,
    trouble: str,
    gone: bool,
) -> None:
    def screen(_: bytes) -> Screening:
        raise SourceUnreachableError("Triton", "127.0.0.1:1", "Gone") from cause

    monkeypatch.setattr(triton_api, "screen", screen)
    monkeypatch.setattr(triton_api, "trouble", lambda: trouble)
    assert send(client, reader.token).json()["gone"] is gone
    assert len(reader.examinations) == 1, "the reader sees which it was"


def test_a_reader_who_leaves_amid_a_picture_leaves_no_room_taken(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_ARRIVING_MIB", 64)  # a picture that does not say its size takes all
    places = Uploads()
    assert asyncio.run(arriving(places, reader, iter([{"type": "http.disconnect"}]))) == 400
    assert reader.examinations == []
    whole = {"type": "http.request", "body": FILM, "more_body": False}
    assert asyncio.run(arriving(places, reader, iter([whole]))) == 200


async def arriving(places: Uploads, reader: Reader, messages: Iterator[Message]) -> int:
    """Return the status that a picture without a size is answered with, that arrives in parts."""
    sent: list[Message] = []

    async def receive() -> Message:
        return next(messages)

    async def keep(message: Message) -> None:
        sent.append(message)

    headers = [(b"hilum-reader", reader.token.encode())]
    scope = {"type": "http", "method": "POST", "path": UPLOAD_PATH, "query_string": b"", "headers": headers}
    await places.route.app(scope, receive, keep)
    status: int = sent[0]["status"]
    return status
