"""Appending and reading, in SQLite."""

import sys
from pathlib import Path

import pytest

from hilum.errors import ServiceUnreachableError, UsageError
from hilum.settings import settings
from tests.support.ledgers import fill, intrude, sqlite_url
from training.errors import ConcurrentChangeError, LedgerBusyError, LedgerError
from training.ledger import ledger as module
from training.ledger.audit_ledger import audit_ledger
from training.ledger.entry import Kind
from training.ledger.ledger import Ledger


def test_entries_come_back_as_they_were_appended(tmp_path: Path) -> None:
    with Ledger(sqlite_url(tmp_path)) as ledger:
        assert list(ledger.entries()) == []
        assert ledger.newest("judged") is None
        appended = [
            ledger.append("released", who="Ada", facts={"release": 1, "thresholds": {"covid19": 0.1}}),
            ledger.append("judged", who="Grace", why="before the audit", facts={"release": 1}),
            ledger.append("released", who="Ada", facts={"release": 2}),
        ]
    with Ledger(sqlite_url(tmp_path)) as again:
        assert list(again.entries()) == appended
        assert list(again.entries(after=1)) == appended[1:]
        assert again.newest("released") == appended[2]
        assert again.newest("judged") == appended[1]
        assert again.head().digest == appended[2].digest
    assert [entry.number for entry in appended] == [1, 2, 3]
    assert [entry.previous for entry in appended[1:]] == [entry.digest for entry in appended[:-1]]
    assert appended[0].at <= appended[1].at <= appended[2].at
    assert appended[0].at.utcoffset() is not None


def test_the_folder_is_made(tmp_path: Path) -> None:
    with Ledger(sqlite_url(tmp_path / "new" / "home")) as ledger:
        fill(ledger, 1)
    names = {path.name for path in (tmp_path / "new" / "home").iterdir()}
    assert {"ledger.db", "ledger.head"} <= names


def test_a_decision_on_old_news_is_refused(tmp_path: Path) -> None:
    with Ledger(sqlite_url(tmp_path)) as ledger:
        first = ledger.append("alias_moved", who="Ada", facts={"release": 1}, expect={"alias_moved": 0})
        fill(ledger, 1)  # of another kind: no matter
        seen: dict[Kind, int] = {"adopted": 0, "alias_moved": first.number}
        second = ledger.append("alias_moved", who="Ada", facts={"release": 2}, expect=seen)
        with pytest.raises(
            ConcurrentChangeError, match=r"newest entry 'alias_moved'.* is 3 by Ada"
        ) as caught:
            ledger.append("alias_moved", who="Bob", facts={"release": 3}, expect=seen)
        assert (caught.value.expected, caught.value.found) == (first.number, second.number)
        with pytest.raises(ConcurrentChangeError, match="is none, where 1 was"):
            ledger.append("judged", who="Bob", facts={}, expect={"judged": 1})
        seen["alias_moved"] = second.number
        ledger.append("adopted", who="watcher", facts={"release": 9})
        with pytest.raises(ConcurrentChangeError, match=r"newest entry 'adopted'.* is 4 by watcher"):
            ledger.append("alias_moved", who="Bob", facts={"release": 3}, expect=seen)
        assert ledger.head().number == second.number + 1


def test_all_pages_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 3)
    with Ledger(sqlite_url(tmp_path)) as ledger:
        for count in (2, 1, 3):  # a part of a page, a whole one, several
            fill(ledger, count)
            numbers = [entry.number for entry in ledger.entries()]
            assert numbers == list(range(1, ledger.head().number + 1))


def test_a_reader_does_not_hold_up_a_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 1)
    with Ledger(sqlite_url(tmp_path)) as ledger:
        fill(ledger, 2)
        reading = ledger.entries()
        assert next(reading).number == 1
        fill(ledger, 1)
        assert [entry.number for entry in reading] == [2, 3]


@pytest.mark.parametrize("who", ["", " "])
def test_nobody_records_nothing(tmp_path: Path, who: str) -> None:
    with Ledger(sqlite_url(tmp_path)) as ledger:
        with pytest.raises(UsageError, match="HILUM_ACTOR"):
            ledger.append("judged", who=who, facts={})
        with pytest.raises(ValueError, match="No kind of entry: 'guessed'"):
            ledger.append("guessed", who="Ada", facts={})  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="not JSON compliant"):
            ledger.append("judged", who="Ada", facts={"value": float("nan")})
        assert ledger.head().number == 0


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ledger.db",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://db/x",
        "postgresql://db",
        "postgresql://h:p/x",
    ],
)
def test_an_address_that_is_no_ledgers_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="expected sqlite:////absolute/path"):
        Ledger(url)


def test_a_password_is_never_shown() -> None:
    with pytest.raises(UsageError) as caught:
        Ledger("mysql://ada:secret@db/x")
    assert "secret" not in str(caught.value)


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UsageError, match=r"needs the package 'psycopg': pip install 'hilum\[cluster\]'"):
        Ledger("postgresql://h/x")


def test_a_postgresql_that_is_down_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_HOME", str(tmp_path))
    settings.cache_clear()
    with (
        Ledger("postgresql://ada:secret@127.0.0.1:9/hilum") as ledger,
        pytest.raises(ServiceUnreachableError, match=r"at .*ada:\*\*\*@127.0.0.1:9/hilum") as caught,
    ):
        fill(ledger, 1)
    assert ledger.head_file.path == tmp_path / "ledger-127.0.0.1-9-hilum.head"
    assert "secret" not in str(caught.value)
    settings.cache_clear()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("not a database" * 100)
    with (
        Ledger(sqlite_url(tmp_path)) as ledger,
        pytest.raises(LedgerError, match=r"ledger\.db refused: file is"),
    ):
        fill(ledger, 1)


def test_an_entry_stands_where_the_head_file_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".ledger.head.lock").mkdir()
    with Ledger(sqlite_url(tmp_path)) as ledger:
        (entry,) = fill(ledger, 1)
        assert list(ledger.entries()) == [entry]
    assert "Entry 1 of the ledger is recorded, but" in caplog.text


def test_an_entry_stands_where_the_ledger_is_busy_just_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def busy(_ledger: Ledger, _number: int) -> str:
        raise LedgerBusyError("ledger.db", 30)

    with Ledger(sqlite_url(tmp_path)) as ledger:
        (first,) = fill(ledger, 1)
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "_digest_in_ledger", busy)
            (second,) = fill(ledger, 1)
        assert list(ledger.entries()) == [first, second]
    assert "Entry 2 of the ledger is recorded, but" in caplog.text
    assert "Nothing was recorded" not in caplog.text


def test_a_writer_that_dies_before_the_head_file_leaves_a_legal_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Ledger(sqlite_url(tmp_path)) as ledger:
        fill(ledger, 1)
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "_testify", lambda *_: None)
            fill(ledger, 1)
        head = ledger.head_file.read()
        assert head is not None
        assert head.number == 1
        assert audit_ledger(ledger).findings == ()
        fill(ledger, 1)
        assert ledger.head_file.read() == ledger.head()


def test_a_ledger_without_its_head_takes_no_entries(tmp_path: Path) -> None:
    with Ledger(sqlite_url(tmp_path)) as ledger:
        fill(ledger, 1)
        intrude(sqlite_url(tmp_path), "DELETE FROM hilum_ledger_head")
        with pytest.raises(LedgerError, match="somebody removed the ledger's head"):
            fill(ledger, 1)
        assert ledger.newest("approved") is not None
