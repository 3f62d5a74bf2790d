"""Records of paired answers: what they hold, what they refuse, and how a torn file is read."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from hilum.errors import UsageError
from hilum.paired_answers import Pair, image_digest, in_time_order, read_pairs
from tests.support.paired_answers import answer, pair

PAIRS = [pair(0, "covid19", "rejected"), pair(1, "no_finding", None), pair(2, "rejected", "rejected")]


def write(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(lines))
    return path


def test_records_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", *(found.to_line() for found in PAIRS))
    assert read_pairs(path) == (PAIRS, 0)
    assert path.read_bytes().count(b"\n") == len(PAIRS)


def test_a_record_holds_no_more_than_is_documented() -> None:
    record = json.loads(pair(0, "covid19", "rejected").to_line())
    assert set(record) == {"format", "at", "image", "champion", "challenger", "error"}
    assert set(record["champion"]) == {
        "release",
        "accepted",
        "valid_probability",
        "probabilities",
        "finding",
        "latency_s",
    }
    assert record["challenger"]["probabilities"] is None


def test_torn_lines_are_counted_and_the_others_kept(tmp_path: Path) -> None:
    whole = PAIRS[0].to_line()
    path = write(tmp_path / "pairs.jsonl", whole, whole[:40] + b"\n", b"[]\n", PAIRS[1].to_line(), whole[:9])
    assert read_pairs(path) == ([PAIRS[0], PAIRS[1]], 3)


def test_blank_lines_count_for_nothing(tmp_path: Path) -> None:
    whole = PAIRS[0].to_line()
    path = write(tmp_path / "pairs.jsonl", b"\n", whole, b"\n \n", whole[:40], b"\n", PAIRS[1].to_line())
    assert read_pairs(path) == ([PAIRS[0], PAIRS[1]], 1)


@pytest.mark.parametrize(("content", "torn"), [(b"", 0), (b'{"file": "scan.dcm", "release": 1}\n', 1)])
def test_a_file_may_hold_no_record(tmp_path: Path, content: bytes, torn: int) -> None:
    assert read_pairs(write(tmp_path / "pairs.jsonl", content)) == ([], torn)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_pairs(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    "change",
    [
        {"image": "scan.dcm"},
        {"patient": "Doe"},
        {"format": 2},
        {"at": "2026-03-01T08:00:00"},
        {"challenger": None},
        {"error": "DeadlineExceededError"},
        {"champion": answer("covid19").model_dump() | {"finding": None}},
        {"champion": answer("covid19").model_dump() | {"finding": "pneumonia"}},
        {"champion": answer("covid19").model_dump() | {"probabilities": {"covid19": 1.0}}},
        {"champion": answer("rejected").model_dump() | {"accepted": True}},
        {"champion": answer("covid19").model_dump() | {"valid_probability": 1.2}},
    ],
)
def test_a_record_that_contradicts_itself_or_the_contract_is_none(change: dict[str, object]) -> None:
    record = json.loads(pair(0, "covid19", "no_finding").to_line())
    assert Pair.model_validate_json(json.dumps(record))
    with pytest.raises(ValidationError):
        Pair.model_validate_json(json.dumps(record | change))


def test_images_are_named_under_a_key() -> None:
    digest = image_digest(b"a key of ours", b"image")
    assert digest == hmac.new(b"a key of ours", b"image", "sha256").hexdigest()
    assert digest != image_digest(b"another key", b"image")
    assert digest != hashlib.sha256(b"image").hexdigest()


def test_pairs_of_several_clients_are_put_in_the_order_of_time() -> None:
    assert in_time_order([PAIRS[2], PAIRS[0], PAIRS[1]]) == PAIRS
