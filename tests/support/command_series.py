"""Runs `hilum` commands one after another in one process: importing torch takes longer than a tiny training.

Started as `python -m tests.support.command_series`. Reads one JSON list of arguments per line and answers
each with one JSON object: status, stdout, stderr.
"""

import json
import os
import subprocess
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

from tests.support.data import REPOSITORY

CRASHED = 70
"""Status of a command that ended in a traceback, as no command may."""


@dataclass(frozen=True)
class Answer:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str

    def record(self) -> dict[str, Any]:
        """Return what `--json` printed, once the command has done its work."""
        assert self.status == 0, self.stderr
        record: dict[str, Any] = json.loads(self.stdout)
        return record


class CommandSeries:
    """A process of its own that runs `hilum` commands on one core, with a state folder of its own."""

    def __init__(self, home: Path, uri: str) -> None:
        environment = {"HILUM_HOME": str(home), "HILUM_MLFLOW_URI": uri, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.command_series"],
            cwd=REPOSITORY,
            env=os.environ | environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def run(self, *arguments: str | Path) -> Answer:
        """Run one command to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(argument) for argument in arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the process died of {' '.join(map(str, arguments))}"
        return Answer(**json.loads(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.__exit__(kind, error, trace)  # closes its input, which ends it, and waits


def _run_here(arguments: list[str]) -> Answer:
    """Run one command in this process."""
    from hilum.cli import main

    stdout, stderr = StringIO(), StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr), patch.object(sys, "argv", ["hilum", *arguments]):
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
        except Exception:  # the test that asked must see it, and the next command still run
            traceback.print_exc()
            status = CRASHED
    return Answer(int(status), stdout.getvalue(), stderr.getvalue())


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(asdict(_run_here(json.loads(line)))), flush=True)
