"""An export says the same as the ledger, byte for byte each time."""

import json
import textwrap
from pathlib import Path

import pytest

from tests.support.data import REPOSITORY
from tests.support.ledgers import chain
from training.errors import LedgerError
from training.ledger.audit import audit_records
from training.ledger.exported import read_export, to_lines

CHAIN = chain(("judged", {"outcome": "failed", "note": "line\nbreak é"}), ("approved", {"release": 1}))


def test_an_export_is_read_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    lines = list(to_lines(entry.record for entry in CHAIN))
    path.write_text("".join(lines))
    assert list(read_export(path)) == [entry.record for entry in CHAIN]
    assert audit_records(read_export(path)).findings == ()
    assert list(to_lines(read_export(path))) == lines
    assert [json.loads(line)["number"] for line in lines] == [1, 2]


def test_the_documented_program_checks_an_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = (REPOSITORY / "docs" / "ledger.md").read_text().split("\n\n")
    (program,) = [textwrap.dedent(block) for block in blocks if "import hashlib" in block]
    monkeypatch.chdir(tmp_path)
    lines = list(to_lines(entry.record for entry in CHAIN))
    Path("ledger.jsonl").write_text("".join(lines))
    exec(program, {})
    Path("ledger.jsonl").write_text("".join(lines).replace("failed", "passed"))
    with pytest.raises(AssertionError):
        exec(program, {})


@pytest.mark.parametrize("spoilt", [b'{"number": 3', b"[]\n", b"\xff\n", b"\n"])
def test_a_line_that_is_no_entry_is_named(tmp_path: Path, spoilt: bytes) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes("".join(to_lines(entry.record for entry in CHAIN)).encode() + spoilt)
    with pytest.raises(LedgerError, match=f"Line 3 of {path} holds no entry"):
        list(read_export(path))
