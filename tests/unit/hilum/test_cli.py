"""The command line: light, lazy, and errors as sentences with an exit status."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hilum import cli
from hilum.errors import HilumError, PartialFailureError, ServiceUnreachableError, UsageError

HEAVY = ("torch", "mlflow", "pandas", "tritonclient", "onnxruntime", "pydicom", "matplotlib")


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hilum", *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_help_lists_every_command_and_imports_none() -> None:
    code = "import sys; sys.argv = ['hilum', '--help']; from hilum.cli import cli\n"
    code += "try: cli()\nexcept SystemExit: pass\n"
    code += "print(sorted(m for m in sys.modules if '.' not in m), file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert all(f"  {name} " in result.stdout for name in cli.COMMANDS)
    assert not [name for name in (*HEAVY, "training", "clients", "rich") if f"'{name}'" in result.stderr]


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help_with_examples(name: str) -> None:
    result = run(name, "--help")
    assert result.returncode == 0, result.stderr
    group = {"data": "check", "ledger": "show", "release": "create", "repository": "lint"}.get(name)
    text = result.stdout if group is None else run(name, group, "--help").stdout
    assert "hilum " in text.split("Usage:")[1].split("\n", 1)[1], "no example"


def test_training_commands_do_not_import_the_online_half() -> None:
    code = "import sys, training.commands.train; print([m for m in sys.modules if m in ('torch', 'clients')])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.stdout.strip() == "[]", result.stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (HilumError("It failed."), 1),
        (UsageError("Wrong."), 2),
        (PartialFailureError(1, 3, "files"), 3),
        (ServiceUnreachableError("Triton", "127.0.0.1:1", "Start it."), 4),
        (KeyboardInterrupt(), 130),
        (OSError(28, "No space left on device", "/data/x"), 1),
    ],
)
def test_errors_become_a_sentence_and_an_exit_status(
    error: BaseException, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "cli", fail)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == status
    said = capsys.readouterr().err
    assert "Traceback" not in said
    if isinstance(error, HilumError):
        assert str(error) in said
    if isinstance(error, OSError):
        assert "No space left on device (/data/x)" in said


def test_an_unknown_command_is_a_usage_error() -> None:
    result = run("predikt")
    assert result.returncode == 2
    assert "No such command 'predikt'" in result.stderr


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    folder = tmp_path / "data"
    assert run("data", "synth", str(folder), "--patients", "15").returncode == 0
    result = run("serve", HILUM_HOME=str(tmp_path / "home"))
    assert result.returncode in (1, 2)
    assert "Traceback" not in result.stderr
    assert str(tmp_path / "home") in result.stderr
