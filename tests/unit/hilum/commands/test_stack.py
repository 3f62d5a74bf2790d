"""`hilum status` as a user calls it, where nothing runs and monitoring is not installed."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from hilum.commands.stack import status
from hilum.monitoring.programs import missing_programs
from hilum.settings import settings
from tests.support.ports import port_variables


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_status_says_what_monitoring_lacks_with_the_command(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path))
    for name, port in port_variables().items():
        monkeypatch.setenv(name, port)
    settings.cache_clear()
    try:
        result = CliRunner().invoke(status, options)
    finally:
        settings.cache_clear()
    assert [program.name for program in missing_programs()] == ["prometheus", "alertmanager"]
    for program in missing_programs():
        assert f"{program.name} is not installed" in result.stderr
        assert program.remedy in result.stderr.splitlines()
    assert "not installed" not in result.stdout
