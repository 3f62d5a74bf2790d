"""The README's examples, run as they stand against a front door in this process."""

import re
from pathlib import Path

import pytest

from hilum.settings import settings
from tests.support.fake_front_door import FakeFrontDoor
from tests.support.grpc_server import grpc_server

README = Path(__file__).parents[3] / "clients" / "README.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
PRINTED = (
    "7 True lung_opacity",
    "7 lung_opacity",
    'hilum_client_request_duration_seconds_count{outcome="accepted"} 1.0',
)
"""What is in the output of each."""
ADDRESS = "127.0.0.1:8001"
"""Where the examples call."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scan.dcm").write_bytes(b"image")
    settings.cache_clear()


@pytest.mark.parametrize(("example", "printed"), list(zip(EXAMPLES, PRINTED, strict=True)))
def test_an_example_runs(example: str, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ADDRESS in example
    with grpc_server(FakeFrontDoor()) as address:
        exec(compile(example.replace(ADDRESS, address), "an example", "exec"), {})
    assert printed in capsys.readouterr().out
