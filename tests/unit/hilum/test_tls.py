"""Files that cannot secure a connection are refused by name before gRPC sees them."""

import subprocess
from pathlib import Path

import pytest

from hilum.errors import UsageError
from hilum.settings import Settings
from hilum.tls import ServerTlsFiles, TlsFiles
from tests.support.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_nothing_is_encrypted_unless_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("TLS_CA", "TLS_CERTIFICATE", "TRITON_TLS_KEY"):
        monkeypatch.setenv(f"HILUM_{name}", "")  # as a chart writes what was left out
    assert TlsFiles.from_settings(Settings()) is None
    assert ServerTlsFiles.from_settings(Settings()) is None


def test_the_settings_name_the_files(authority: Authority) -> None:
    me, server = authority.issue("me", "me@example.org"), authority.issue("server", "localhost")
    settings = Settings(
        tls_ca=authority.file,
        tls_certificate=me.certificate,
        tls_key=me.key,
        triton_tls_certificate=server.certificate,
        triton_tls_key=server.key,
        triton_tls_client_ca=authority.file,
    )
    ours, tritons = TlsFiles.from_settings(settings), ServerTlsFiles.from_settings(settings)
    assert ours == TlsFiles(ca=authority.file, certificate=me.certificate, key=me.key)
    assert tritons == ServerTlsFiles(certificate=server.certificate, key=server.key, client_ca=authority.file)
    assert ours is not None
    assert tritons is not None
    assert len(ours.context().get_ca_certs()) == 1, "the authorities of this machine are not asked"
    tritons.check()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"tls_certificate": "me.pem", "tls_key": "me.key"}, "need HILUM_TLS_CA"),
        ({"tls_ca": "ca.pem", "tls_key": "me.key"}, "give both, or neither"),
        ({"tls_ca": "ca.pem", "tls_certificate": "me.pem"}, "give both, or neither"),
    ],
)
def test_half_of_what_a_client_needs(given: dict[str, Path], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        TlsFiles.from_settings(Settings(**given))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["certificate", "key", "client_ca"])
def test_half_of_what_a_server_needs(name: str, tmp_path: Path) -> None:
    settings = Settings().model_copy(update={f"triton_tls_{name}": tmp_path / "one"})
    with pytest.raises(UsageError, match="HILUM_TRITON_TLS_KEY belong together"):
        ServerTlsFiles.from_settings(settings)


def test_a_file_that_is_not_there_is_named(authority: Authority, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^HILUM_TLS_CA: .*gone\.pem cannot be read: No such file"):
        TlsFiles(ca=tmp_path / "gone.pem").context()
    pair = authority.issue("server", "localhost")
    with pytest.raises(UsageError, match=r"^HILUM_TRITON_TLS_KEY: .*gone\.key cannot be read"):
        ServerTlsFiles(certificate=pair.certificate, key=tmp_path / "gone.key").check()


def test_a_file_that_holds_something_else_is_named(authority: Authority, tmp_path: Path) -> None:
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    pair = authority.issue("server", "localhost")
    with pytest.raises(UsageError, match=r"text\.pem holds no certificates in PEM form"):
        TlsFiles(ca=text).context()
    with pytest.raises(UsageError, match="must be a certificate and its private key in PEM form"):
        ServerTlsFiles(certificate=pair.certificate, key=text).check()


def test_a_key_of_another_certificate(authority: Authority) -> None:
    one, other = authority.issue("one", "localhost"), authority.issue("other", "localhost")
    with pytest.raises(UsageError, match=r"other\.key belongs to another certificate than .*one\.pem"):
        ServerTlsFiles(certificate=one.certificate, key=other.key).check()


def test_a_key_with_a_passphrase_is_refused_and_not_asked_for(authority: Authority, tmp_path: Path) -> None:
    pair, locked = authority.issue("server", "localhost"), tmp_path / "locked.key"
    subprocess.run(
        ["openssl", "ec", "-in", pair.key, "-aes256", "-passout", "pass:secret", "-out", locked],
        check=True,
        capture_output=True,
    )
    with pytest.raises(UsageError, match="without a passphrase"):
        ServerTlsFiles(certificate=pair.certificate, key=locked).check()
