"""`hilum release compare` as a user runs it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hilum.errors import HilumError, UsageError
from hilum.paired_answers import Pair, image_digest
from hilum.settings import settings
from tests.support.paired_answers import pair
from training.commands.release_compare import compare

KEY = "a key for tests only"


@pytest.fixture(autouse=True)
def installation(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HILUM_SHADOW_KEY", KEY)
    settings.cache_clear()
    yield
    settings.cache_clear()


def write(path: Path, *pairs: Pair, torn: bytes = b"") -> Path:
    path.write_bytes(b"".join(found.to_line() for found in pairs) + torn)
    return path


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(compare, list(map(str, arguments)))


def records(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_there_is_one_object_for_each_champion_and_challenger(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", pair(0, "covid19", "covid19"), pair(1, "covid19", "no_finding"))
    two = write(
        tmp_path / "two.jsonl",
        pair(1, "covid19", "no_finding"),
        pair(2, "rejected", "rejected", releases=(2, 5)),
        torn=b'{"at"',
    )
    result = invoke(one, two, "--json")
    first, second = records(result)
    assert (first["champion"], first["challenger"], first["n"], first["repeated"]) == (1, 2, 2, 1)
    assert (second["champion"], second["challenger"], second["n"]) == (2, 5, 1)
    covid = first["reported"][1]
    assert (covid["both"], covid["only_champion"], covid["only_challenger"]) == (1, 1, 0)
    assert covid["sequential"]["e_value"] == 1
    assert first["agreement"]["value"] == 0.5
    assert "labelled" not in first
    assert f"{two}: 1 lines are torn or no records" in result.stderr


def test_a_person_reads_the_sentence_the_tests_and_who_said_what(tmp_path: Path) -> None:
    pairs = [pair(i, "no_finding", "covid19") for i in range(12)]
    failed = [pair(0, "covid19", None, minute=30), pair(12, "covid19", None), pair(12, "covid19", None)]
    result = invoke(write(tmp_path / "pairs.jsonl", *pairs, *failed))
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    assert "Challenger release 2 beside champion release 1, 2026-03-01T08:00:00+00:00" in text
    assert "does not report covid19 (12 images, 0 by the champion) as often as the champion" in text
    assert "3 mirrored requests failed (DeadlineExceededError 3 times); 1 images were never answered" in text
    assert "The same answer to 0.000 (0.000-0.242) of the images" in text
    assert "give --labels for that" in text


def test_with_labels_it_says_who_is_right(tmp_path: Path) -> None:
    pairs = []
    rows = ["path,label"]
    for number in range(12):
        (tmp_path / f"{number}.png").write_bytes(b"%d" % number)
        truth = ("no_finding", "covid19", "lung_opacity")[number % 3]
        rows.append(f"{number}.png,{truth}")
        champion = truth if number < 9 else "rejected"
        digest = image_digest(KEY.encode(), b"%d" % number)
        pairs.append(pair(digest, champion, truth, minute=number))
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    path = write(tmp_path / "pairs.jsonl", *pairs)
    arguments = (path, "--labels", tmp_path / "labels.csv", "--bootstrap", 100)
    [record] = records(invoke(*arguments, "--json"))
    labelled = record["labelled"]
    assert (labelled["n"], labelled["only_champion_right"], labelled["only_challenger_right"]) == (12, 0, 3)
    assert labelled["comparison"]["n_images"] == 9
    assert labelled["comparison"]["headline"]["metric"] == "macro_auroc"
    text = " ".join(invoke(*arguments).stdout.split())
    assert (
        "12 labelled images 0 are decided rightly by the champion only and 3 by the challenger only" in text
    )
    assert "3 images are rejected by the champion only" in text
    assert "A: the champion, B: the challenger" in text


def test_labels_of_which_none_was_mirrored_are_refused_with_what_may_be_wrong(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"another image")
    (tmp_path / "labels.csv").write_text("path,label\n0.png,covid19\n")
    path = write(tmp_path / "pairs.jsonl", pair(0, "covid19", "covid19"))
    error = invoke(path, "--labels", tmp_path / "labels.csv").exception
    assert isinstance(error, UsageError)
    assert "None of the 1 labelled images was mirrored" in str(error)
    assert "HILUM_SHADOW_KEY" in str(error)


def test_a_challenger_that_never_answered_is_said_to_have_failed(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", *(pair(i, "covid19", None) for i in range(3)))
    error = invoke(path).exception
    assert isinstance(error, HilumError)
    assert str(error).startswith(
        "The challenger answered none of 3 mirrored requests (DeadlineExceededError 3 "
    )


def test_files_of_clients_without_a_challenger_change_nothing(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.jsonl", pair(0, "covid19", "covid19"))
    empty = write(tmp_path / "empty.jsonl")
    torn = write(tmp_path / "torn.jsonl", torn=b'{"at"')
    result = invoke(empty, torn, whole, "--json")
    assert records(result) == records(invoke(whole, "--json"))
    assert result.stderr.splitlines() == [f"{torn}: 1 lines are torn or no records, and were left out."]


@pytest.mark.parametrize("content", [b"", b'{"file": "scan.dcm", "release": 1}\n'])
def test_files_that_together_hold_no_pair_are_a_usage_error(tmp_path: Path, content: bytes) -> None:
    one, two = write(tmp_path / "one.jsonl"), write(tmp_path / "two.jsonl", torn=content)
    error = invoke(one, two).exception
    assert isinstance(error, UsageError)
    assert str(error).startswith(f"No pair of answers is in {one}, {two}. Expected files that clients wrote")


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.jsonl", pair(0, "covid19", "covid19"))
    assert isinstance(invoke(whole, tmp_path / "none.jsonl").exception, UsageError)
