"""`make demo DATA=...` shortened, on a sample of real radiographs."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.support.data import REPOSITORY, shared_data
from tests.support.ports import port_variables

PER_GROUP = {"train": 22, "val": 7, "test": 7}
"""Images of each kind and finding in the sample, by split."""


def write_sample(source: Path, folder: Path) -> None:
    """Lay out a small data set of real radiographs, its images linked to the originals."""
    frame = pd.read_csv(source / "metadata.csv", keep_default_na=False)
    groups = frame.groupby(["split", "kind", "finding"], sort=True)
    sample = pd.concat([rows.iloc[: PER_GROUP[str(key[0])]] for key, rows in groups])
    folder.mkdir()
    (folder / "images").mkdir()
    for path in sample["path"]:
        link = folder / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(source / path)
    sample.to_csv(folder / "metadata.csv", index=False)


def test_the_main_job_runs_on_real_radiographs(tmp_path: Path) -> None:
    data = shared_data()
    if data is None:
        pytest.skip("no real radiographs here: set HILUM_DATA to a folder that holds cxr/metadata.csv")
    sample, home = tmp_path / "sample", tmp_path / "home"
    write_sample(data / "cxr", sample)
    variables = os.environ | {"HILUM_HOME": str(home)} | port_variables()
    arguments = [f"DATA={sample}", "FILTER_MINUTES=0.25", "CLASSIFIER_MINUTES=0.35", f"VENV={sys.prefix}"]
    try:
        result = subprocess.run(
            ["make", "demo", *arguments],
            cwd=REPOSITORY,
            env=variables,
            capture_output=True,
            text=True,
            timeout=850,
        )
        assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
        assert "For research and triage support only" in result.stdout + result.stderr
        assert "Second stage:" in result.stderr, "the classifier learns as ICA-PUC's: in two stages"
        answers = [line for line in result.stdout.splitlines() if ".jpg" in line]
        assert any(line.split()[-1] == "1" for line in answers), result.stdout
    finally:
        subprocess.run(
            [sys.executable, "-m", "hilum", "down"], cwd=REPOSITORY, env=variables, check=False, timeout=120
        )
