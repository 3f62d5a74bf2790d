"""Mirroring against challengers that block, fail, are absent or answer: the caller must notice none of it."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clients.errors import DeadlineExceededError, ModelNotReadyError
from clients.results import Screening
from clients.shadow import Shadow, ShadowCounts, ShadowPolicy
from hilum.errors import UsageError
from hilum.paired_answers import image_digest, read_pairs

KEY = b"a key for tests only"


def screening(release: int) -> Screening:
    probabilities = {"no_finding": 0.2, "lung_opacity": 0.7, "covid19": 0.1}
    return Screening(
        release=release,
        accepted=True,
        valid_probability=0.9,
        probabilities=probabilities,
        finding="lung_opacity",
    )


CHAMPION = screening(1)


class Challenger:
    """A challenger that answers only when it is let, until the line is cut."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        """Released once for each request that reached it."""
        self.let = threading.Event()
        self.is_cut = False
        self.images: list[bytes] = []

    def ask(self, image: bytes) -> Screening:
        self.images.append(image)
        self.asked.release()
        self.let.wait()
        if self.is_cut:
            raise ValueError("Cannot invoke RPC on closed channel!")
        return screening(2)

    def hang_up(self) -> None:
        self.is_cut = True
        self.let.set()


@contextmanager
def shadowing(
    folder: Path,
    ask: Callable[[bytes], Screening],
    hang_up: Callable[[], None] = lambda: None,
    **policy: object,
) -> Iterator[Shadow]:
    options = {"share": 1.0, "record": folder / "pairs.jsonl", "key": KEY, "close_wait_s": 60.0, **policy}
    shadow = Shadow(ShadowPolicy(**options), ask, hang_up)  # type: ignore[arg-type]
    try:
        yield shadow
    finally:
        shadow.close()


def test_both_answers_are_written_down_without_the_image(tmp_path: Path) -> None:
    with shadowing(tmp_path, lambda _: screening(2)) as shadow:
        shadow.offer(b"an image", CHAMPION, 0.125)
    [found], torn = read_pairs(tmp_path / "pairs.jsonl")
    assert torn == 0
    assert found.image == image_digest(KEY, b"an image")
    assert (found.champion.release, found.champion.latency_s) == (1, 0.125)
    assert found.challenger is not None
    assert (found.challenger.release, found.challenger.finding) == (2, "lung_opacity")
    assert found.at.utcoffset() is not None
    assert shadow.counts == ShadowCounts(offered=1, recorded=1)
    assert (tmp_path / "pairs.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_blocked_challenger_neither_blocks_the_caller_nor_fills_the_memory(tmp_path: Path) -> None:
    challenger = Challenger()
    with shadowing(tmp_path, challenger.ask, challenger.hang_up, pending=3, in_flight=1) as shadow:
        for number in range(10):  # would never return if one offer waited for the challenger
            shadow.offer(b"%d" % number, CHAMPION, 0.1)
        assert challenger.asked.acquire(timeout=60)
        assert shadow.counts == ShadowCounts(offered=10, dropped=7)
        challenger.let.set()
    assert shadow.counts == ShadowCounts(offered=10, recorded=3, dropped=7)
    assert challenger.images == [b"0", b"1", b"2"]


def test_closing_cuts_off_what_takes_too_long(tmp_path: Path) -> None:
    challenger = Challenger()
    with shadowing(tmp_path, challenger.ask, challenger.hang_up, in_flight=1, close_wait_s=0) as shadow:
        for number in range(3):
            shadow.offer(b"%d" % number, CHAMPION, 0.1)
        assert challenger.asked.acquire(timeout=60)
    assert shadow.counts == ShadowCounts(offered=3, dropped=3)
    assert challenger.images == [b"0"]
    assert (tmp_path / "pairs.jsonl").read_bytes() == b""
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("shadow")]


def test_what_comes_after_closing_is_dropped_and_closing_twice_is_closing_once(tmp_path: Path) -> None:
    with shadowing(tmp_path, lambda _: screening(2)) as shadow:
        shadow.close()
        shadow.offer(b"late", CHAMPION, 0.1)
    assert shadow.counts == ShadowCounts(offered=1, dropped=1)
    assert str(shadow.counts) == "1 dropped (too many were pending, or the client closed)"


def test_a_failing_challenger_is_recorded_by_the_name_of_its_error(tmp_path: Path) -> None:
    def ask(image: bytes) -> Screening:
        raise (
            DeadlineExceededError("ward-7.hospital.example:8001", 1.0) if image == b"slow" else RuntimeError()
        )

    with shadowing(tmp_path, ask, in_flight=1) as shadow:
        shadow.offer(b"slow", CHAMPION, 0.1)
        shadow.offer(b"broken", CHAMPION, 0.1)
    found, _ = read_pairs(tmp_path / "pairs.jsonl")
    assert [pair.error for pair in found] == ["DeadlineExceededError", "RuntimeError"]
    assert [pair.challenger for pair in found] == [None, None]
    assert b"ward-7" not in (tmp_path / "pairs.jsonl").read_bytes()
    assert shadow.counts == ShadowCounts(offered=2, recorded=2)


def test_while_no_challenger_is_loaded_there_is_nothing_to_record(tmp_path: Path) -> None:
    def ask(image: bytes) -> Screening:
        raise ModelNotReadyError("127.0.0.1:8001", "xray_screening_challenger", "not found")

    with shadowing(tmp_path, ask) as shadow:
        shadow.offer(b"an image", CHAMPION, 0.1)
    assert shadow.counts == ShadowCounts(offered=1, absent=1)
    assert (tmp_path / "pairs.jsonl").read_bytes() == b""


def test_an_answer_outside_the_records_bounds_is_a_failure_and_stops_nothing(tmp_path: Path) -> None:
    answers = iter(
        [Screening(release=0, accepted=True, valid_probability=2.0, probabilities=None, finding=None)]
    )

    with shadowing(tmp_path, lambda _: next(answers, screening(2)), in_flight=1) as shadow:
        shadow.offer(b"first", CHAMPION, 0.1)
        shadow.offer(b"second", CHAMPION, 0.1)
    found, _ = read_pairs(tmp_path / "pairs.jsonl")
    assert [pair.error for pair in found] == ["ValidationError", None]


def test_an_answer_of_the_champions_outside_the_bounds_is_counted_and_stops_nothing(tmp_path: Path) -> None:
    bounds = {"release": 1, "accepted": True, "valid_probability": 0.9, "finding": "lung_opacity"}
    unfit = Screening(probabilities=None, **bounds)  # type: ignore[arg-type]
    # There is one thread: had the first one killed it, nobody would mirror the second.
    with shadowing(tmp_path, lambda _: screening(2), in_flight=1) as shadow:
        shadow.offer(b"first", unfit, 0.1)
        shadow.offer(b"second", CHAMPION, 0.1)
    assert shadow.counts == ShadowCounts(offered=2, recorded=1, unwritten=1)
    [found], torn = read_pairs(tmp_path / "pairs.jsonl")
    assert (found.image, torn) == (image_digest(KEY, b"second"), 0)


def test_a_torn_line_does_not_take_the_next_one_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full at the second and the third line, of which it takes 40 bytes and 1 byte."""
    room = iter([None, 40, 1])
    write = os.write

    def write_some(file: int, content: bytes) -> int:
        return write(file, content[: next(room, None)])

    monkeypatch.setattr(os, "write", write_some)
    with shadowing(tmp_path, lambda _: screening(2), in_flight=1) as shadow:
        for number in range(5):
            shadow.offer(b"%d" % number, CHAMPION, 0.1)
    assert shadow.counts == ShadowCounts(offered=5, recorded=3, unwritten=2)
    found, torn = read_pairs(tmp_path / "pairs.jsonl")
    assert [pair.image for pair in found] == [image_digest(KEY, image) for image in (b"0", b"3", b"4")]
    assert torn == 1
    assert (tmp_path / "pairs.jsonl").read_bytes().count(b"\n") == 5


def test_a_full_disk_is_counted_and_stops_nothing(tmp_path: Path) -> None:
    with shadowing(tmp_path, lambda _: screening(2), record=Path("/dev/full"), in_flight=1) as shadow:
        shadow.offer(b"first", CHAMPION, 0.1)
        shadow.offer(b"second", CHAMPION, 0.1)
    assert shadow.counts == ShadowCounts(offered=2, unwritten=2)
    assert str(shadow.counts).startswith("2 not written (no room on the disk, or ")


def test_several_clients_share_a_record(tmp_path: Path) -> None:
    with (
        shadowing(tmp_path, lambda _: screening(2)) as one,
        shadowing(tmp_path, lambda _: screening(3)) as two,
    ):
        for number in range(20):
            one.offer(b"%d" % number, CHAMPION, 0.1)
            two.offer(b"%d" % number, CHAMPION, 0.1)
    found, torn = read_pairs(tmp_path / "pairs.jsonl")
    assert (len(found), torn) == (40, 0)


def test_a_program_that_does_not_close_its_client_ends_all_the_same(tmp_path: Path) -> None:
    challenger = Challenger()
    shadow = Shadow(
        ShadowPolicy(share=1, record=tmp_path / "pairs.jsonl", key=KEY), challenger.ask, challenger.hang_up
    )
    assert [t.daemon for t in threading.enumerate() if t.name.startswith("shadow")] == [True, True]
    shadow.close()


def sample(share: float, seed: int = 0) -> list[bool]:
    policy = ShadowPolicy(share=share, record=Path("pairs.jsonl"), seed=seed, key=KEY)
    return [policy.takes(image_digest(KEY, b"%d" % number)) for number in range(2000)]


def test_the_same_images_are_taken_every_time_and_as_many_as_asked_for() -> None:
    tenth = sample(0.1)
    assert tenth == sample(0.1)
    assert 140 < sum(tenth) < 260  # 200 expected, standard deviation 13
    assert tenth != sample(0.1, seed=1)
    assert all(sample(1.0))
    assert all(more for few, more in zip(tenth, sample(0.3), strict=True) if few)


def test_images_outside_the_sample_never_reach_the_challenger(tmp_path: Path) -> None:
    asked: list[bytes] = []

    def ask(image: bytes) -> Screening:
        asked.append(image)
        return screening(2)

    images = [b"%d" % number for number in range(200)]
    with shadowing(tmp_path, ask, share=0.1, pending=200) as shadow:
        for image in images:
            shadow.offer(image, CHAMPION, 0.1)
    taken = [image for image, is_taken in zip(images, sample(0.1), strict=False) if is_taken]
    assert sorted(asked) == sorted(taken)
    assert shadow.counts == ShadowCounts(offered=200, recorded=len(taken), skipped=200 - len(taken))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"share": 0.0}, r"must lie in \(0, 1\], got 0"),
        ({"share": 1.5}, r"must lie in \(0, 1\], got 1.5"),
        ({"share": 0.1, "pending": 0}, "room for at least one image"),
        ({"share": 0.1, "timeout_s": 0.0}, "times above 0 s"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        ShadowPolicy(record=Path(os.devnull), key=KEY, **options)  # type: ignore[arg-type]


def test_the_key_shows_in_no_message() -> None:
    assert "key" not in repr(ShadowPolicy(share=0.1, record=Path("pairs.jsonl"), key=KEY))
