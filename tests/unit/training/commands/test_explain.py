from pathlib import Path

from click.testing import CliRunner

from hilum.errors import UsageError
from training.commands.explain import explain


def test_a_stride_that_leaves_gaps_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    options = ["--method", "occlusion", "--occluder-px", "32", "--stride-px", "64"]
    done = CliRunner().invoke(explain, ["classifier", "--data", str(tmp_path), *options])
    assert isinstance(done.exception, UsageError)
    assert "between 1 px and its side of 32 px, got 64" in str(done.exception)
