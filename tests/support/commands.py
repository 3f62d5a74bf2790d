"""Runs `hilum` as a user does, with a state folder and an MLflow server of the test's own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def start(*arguments: str | Path, home: Path, uri: str, **popen: Any) -> subprocess.Popen[str]:
    """Start a `hilum` command."""
    environment = os.environ | {"HILUM_HOME": str(home), "HILUM_MLFLOW_URI": uri}
    return subprocess.Popen(
        [sys.executable, "-m", "hilum", *map(str, arguments)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **popen,
    )


def run(*arguments: str | Path, home: Path, uri: str) -> tuple[int, str, str]:
    """Run a `hilum` command and return its exit status and what it printed."""
    process = start(*arguments, home=home, uri=uri)
    stdout, stderr = process.communicate(timeout=600)
    return process.returncode, stdout, stderr
