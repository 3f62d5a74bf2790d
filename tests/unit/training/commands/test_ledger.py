"""`hilum ledger` as a user calls it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hilum.errors import HilumError
from hilum.settings import settings
from tests.support.ledgers import intrude, sqlite_url
from training.commands.ledger import ledger as command
from training.errors import LedgerError
from training.ledger.ledger import Ledger


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("HILUM_HOME", str(tmp_path))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


@pytest.fixture
def story(home: Path) -> Ledger:
    """A ledger with one release, from its making to its rollout."""
    book = Ledger(sqlite_url(home))
    facts: dict[str, Any] = {"release": 1, "digest": "ab" * 32}
    book.append("released", who="Ada", facts={**facts, "filter": 1, "classifier": 2})
    book.append(
        "judged", who="Ada", facts={**facts, "outcome": "passed", "against": None, "policy": "clinic"}
    )
    book.append("approved", who="Grace", facts=facts)
    move = {"alias": "champion", "release": 1, "before": None, "forced": False}
    book.append("alias_moved", who="Ada", why="[bold]sees more", facts=move)
    rollout = {"champion": 1, "challenger": None, "target": "live", "triton": "gpu:8001"}
    book.append("rollout_began", who="watcher", facts=rollout)
    book.append("rolled_out", who="watcher", facts={**rollout, "outcome": "loaded"})
    return book


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)


def error_of(*arguments: str | Path) -> tuple[HilumError, str]:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert isinstance(result.exception, HilumError), result.output
    return result.exception, result.stdout


def test_an_empty_ledger_is_no_failure() -> None:
    assert "The ledger is empty." in call("show").stdout
    assert "Nothing had been rolled out." in call("who-served").stdout
    assert "is whole: 0 entries" in call("verify").stdout
    assert call("export").stdout == ""


def test_show_prints_the_newest_in_plain_words(story: Ledger) -> None:
    text = call("show", "--limit", "3").stdout
    assert "alias_moved" in text
    assert "[bold]sees" in text  # what was typed, not a style
    assert "released" not in text
    lines = [json.loads(line) for line in call("show", "--json").stdout.splitlines()]
    assert lines == list(story.records())
    (only,) = call("show", "--kind", "judged", "--json").stdout.splitlines()
    assert json.loads(only)["number"] == 2
    assert "no such entries" in call("show", "--kind", "adopted").stdout


def test_who_served_names_release_decision_and_evidence(story: Ledger) -> None:
    text = call("who-served").stdout
    assert "champion of live at gpu:8001: release 1 answered since" in text
    assert "rolled out by watcher (entry 6)" in text
    assert "Decided by Ada" in text
    assert "(entry 4): [bold]sees more" in text
    assert "gate on release 1: passed, without a champion, policy clinic (entry 2)." in text
    assert "Approved by Grace." in text
    (line,) = call("who-served", "--target", "live", "--json").stdout.splitlines()
    record = json.loads(line)
    assert (record["release"], record["role"], record["certainty"]) == (1, "champion", "answered")
    assert record["verdict"]["number"] == 2
    assert record["since"] == record["rollout"]["at"]
    assert call("who-served", "--target", "elsewhere", "--json").stdout == ""
    earlier = call("who-served", "--at", "2020-01-01T00:00+01:00")
    assert "Nothing had been rolled out." in earlier.stdout


@pytest.mark.parametrize(
    ("time", "sentence"),
    [
        ("yesterday", "is no time: expected ISO 8601 with a zone"),
        ("2026-03-01T14:00", "has no zone, so it names many times"),
        ("9999-01-01T00:00Z", "lies in the future"),
    ],
)
def test_a_time_that_names_no_moment_is_refused(time: str, sentence: str) -> None:
    error, _ = error_of("who-served", "--at", time)
    assert sentence in str(error)
    assert error.exit_code == 2


def test_verify_names_what_was_changed_and_fails(story: Ledger, home: Path) -> None:
    head = story.head()
    assert f"is whole: 6 entries, head {head}." in call("verify", "--head", str(head)).stdout
    intrude(sqlite_url(home), "UPDATE hilum_ledger SET who = 'Eve' WHERE number = 4")
    error, stdout = error_of("verify")
    assert isinstance(error, LedgerError)
    assert error.exit_code == 1
    assert "is not what was recorded: 1 finding(s)" in str(error)
    assert "Entry 4 was altered" in stdout
    error, stdout = error_of("verify", "--json")
    record = json.loads(stdout)
    assert record["sound"] is False
    assert [(each["problem"], each["entry"]) for each in record["findings"]] == [("altered", 4)]


def test_an_export_is_verified_without_the_ledger(story: Ledger, home: Path) -> None:
    path = home / "kept" / "ledger.jsonl"
    result = call("export", path)
    assert f"6 entries. Head, to keep elsewhere: {story.head()}" in result.stderr
    assert path.read_text() == call("export").stdout
    head = story.head()
    (home / "ledger.db").unlink()
    record = json.loads(call("verify", "--file", path, "--json").stdout)
    assert (record["sound"], record["head"]) == (True, str(head))
    assert not (home / "ledger.db").exists()
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert "is whole" in call("verify", "--file", path).stdout
    _, stdout = error_of("verify", "--file", path, "--head", str(head))
    assert "Entry 6 was cut off the end: --head testifies to entry 6" in stdout
