"""Settings: precedence, and the admin key."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from hilum.settings import Settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HILUM_HOME", raising=False)


def test_flag_wins_over_environment_over_file_over_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Settings().grpc_port == 8001
    (tmp_path / "hilum.toml").write_text("grpc_port = 9001\nhttp_port = 9000\n")
    assert Settings().grpc_port == 9001
    monkeypatch.setenv("HILUM_GRPC_PORT", "9101")
    assert (Settings().grpc_port, Settings().http_port) == (9101, 9000)
    assert Settings(grpc_port=9201).grpc_port == 9201


def test_a_misspelt_key_in_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hilum.toml").write_text("grpc_prot = 9001\n")
    with pytest.raises(ValidationError, match="grpc_prot"):
        Settings()


def test_addresses_follow_the_local_ports_unless_named(tmp_path: Path) -> None:
    assert Settings(mlflow_port=1234).mlflow_address == "http://127.0.0.1:1234"
    assert Settings(mlflow_uri="https://tracking").mlflow_address == "https://tracking"
    assert Settings(grpc_port=1235).triton_address == "127.0.0.1:1235"


def test_the_admin_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    key = settings.read_admin_key()
    assert len(key) >= 32
    assert settings.read_admin_key() == key
    assert (tmp_path / "home/admin-key").stat().st_mode & 0o777 == 0o600


def test_a_given_admin_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_ADMIN_KEY", "secret-value")
    settings = Settings()
    assert settings.read_admin_key() == "secret-value"
    assert "secret-value" not in repr(settings)
