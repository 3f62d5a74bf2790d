"""Which policy `hilum release gate` judges by."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from hilum.settings import settings
from training.commands.gate import gate
from training.errors import PolicyError


@pytest.mark.parametrize(
    ("option", "expected"), [((), "installation.yaml"), (("--policy", "given.yaml"), "given.yaml")]
)
def test_without_an_option_it_is_the_installations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: tuple[str, ...], expected: str
) -> None:
    monkeypatch.setenv("HILUM_GATE_POLICY", str(tmp_path / "installation.yaml"))
    settings.cache_clear()
    ran = CliRunner().invoke(gate, ["1", "--data", str(tmp_path), *option])
    settings.cache_clear()
    assert isinstance(ran.exception, PolicyError)
    assert expected in str(ran.exception)
