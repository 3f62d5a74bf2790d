"""Toy releases whose answers tell which networks made them, and callers that notice a mixture."""

import io
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import onnxruntime
import tritonclient.grpc as grpcclient
from PIL import Image

from hilum.contract import SCREENING
from tests.support.toy_models import toy_classifier, toy_filter

Kind = tuple[float, float]
"""Threshold of the filter and gain of the classifier."""

# `mid` passes the first filter only, and the gain sharpens probabilities: an answer that mixed the
# networks of two releases would fit none.
FIRST, SECOND, THIRD = (0.1, 4.0), (0.3, 8.0), (0.3, 16.0)

Floats = npt.NDArray[np.float32]


def picture(level: int, corner: int) -> npt.NDArray[np.uint8]:
    """Return a flat picture with a bright square."""
    pixels = np.full((256, 256), level, dtype=np.uint8)
    pixels[corner : corner + 64, corner : corner + 64] = 250
    return pixels


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return a picture as a file."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


PICTURES = np.stack([picture(180, 64), picture(50, 128)])
"""One that every filter accepts, and `mid`."""

FILES = tuple(map(png, PICTURES))
"""The pictures as files."""


@dataclass(frozen=True)
class Answer:
    """What a front door said to both pictures."""

    release: int
    accepted: tuple[bool, ...]
    probabilities: Floats


def ask(client: grpcclient.InferenceServerClient, door: str = SCREENING) -> Answer:
    """Send both pictures as one request."""
    tensor = grpcclient.InferInput("image_bytes", [len(FILES), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[file] for file in FILES], dtype=np.object_))
    result = client.infer(door, [tensor], client_timeout=60.0)
    return Answer(
        int(result.get_response().model_version),
        tuple(result.as_numpy("accepted")[:, 0].tolist()),
        result.as_numpy("probabilities"),
    )


def check_signature(answer: Answer, kinds: Mapping[int, Kind]) -> None:
    """Compare an answer with what the networks of its release compute without Triton."""
    accepted, probabilities = compute(kinds[answer.release])
    assert answer.accepted == accepted
    np.testing.assert_allclose(answer.probabilities, probabilities, atol=1e-5)


@cache
def compute(kind: Kind) -> tuple[tuple[bool, ...], Floats]:
    """Run both networks of a kind in this process."""
    threshold, gain = kind
    radiographs = PICTURES[:, np.newaxis]
    sessions = [
        onnxruntime.InferenceSession(model.SerializeToString())
        for model in (toy_filter(threshold), toy_classifier(gain))
    ]
    (accepted,) = sessions[0].run(["accepted"], {"radiograph": radiographs})
    (probabilities,) = sessions[1].run(["probabilities"], {"radiograph": radiographs, "accepted": accepted})
    return tuple(accepted[:, 0].tolist()), probabilities


@contextmanager
def hammered(
    address: str, kinds: Mapping[int, Kind], *, callers: int, pause_s: float
) -> Iterator[list[Answer]]:
    """Ask all the time during the block; each answer must be one release's own.

    Args:
        address: Triton's gRPC service.
        kinds: the networks of each release.
        callers: requests in flight.
        pause_s: what each caller leaves to others between two requests, in seconds.
    """
    answers: list[Answer] = []
    failures: list[Exception] = []
    stop = threading.Event()

    def hammer() -> None:
        with grpcclient.InferenceServerClient(address) as client:
            while not stop.is_set():
                try:
                    answers.append(ask(client))
                except Exception as error:
                    failures.append(error)
                stop.wait(pause_s)

    threads = [threading.Thread(target=hammer) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert answers
    for answer in answers:
        check_signature(answer, kinds)
