from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hilum.settings import Settings
from hilum.tls import ServerTlsFiles
from tests.support.certificates import HOST, Authority
from tests.support.grpc_server import Servicer, grpc_server
from tests.support.ports import free_ports
from training.promote.watch.certificates import SHOWN, read_expiries, read_shown


def days_left(settings: Settings) -> dict[str, int]:
    """Return in how many days each file stops to work."""
    now = datetime.now(UTC).timestamp()
    return {name: round((end - now) / 86400) for name, end in read_expiries(settings).items()}


def test_without_tls_there_is_none() -> None:
    assert read_expiries(Settings()) == {}


def test_each_file_by_its_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    me = authority.issue("me", "me@example.org", valid_for=timedelta(days=10))
    server = authority.issue("server", "localhost", valid_for=timedelta(days=-3))
    settings = Settings(
        tls_ca=authority.file,
        tls_certificate=me.certificate,
        tls_key=me.key,
        triton_tls_certificate=server.certificate,
        triton_tls_key=server.key,
    )
    left = days_left(settings)
    assert left.pop("authority.pem") > 1000
    assert left == {"authority-me.pem": 10, "authority-server.pem": -3}


def test_a_chain_works_until_its_first_and_authorities_until_their_last(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    both = tmp_path / "both.pem"
    parts = [
        authority.issue(f"{days}", "localhost", valid_for=timedelta(days=days)).certificate.read_bytes()
        for days in (20, 5, 40)
    ]
    both.write_bytes(b"".join(parts))
    assert days_left(Settings(triton_tls_certificate=both)) == {"both.pem": 5}
    assert days_left(Settings(triton_tls_client_ca=both)) == {"both.pem": 40}


def test_of_two_files_of_one_name_the_first_to_expire_counts(tmp_path: Path) -> None:
    """On Kubernetes every certificate is called tls.crt."""
    paths = []
    for place, days in (("client", 30), ("server", 7)):
        pair = Authority(tmp_path / place).issue("x", "localhost", valid_for=timedelta(days=days))
        paths.append(pair.certificate.rename(tmp_path / place / "tls.crt"))
    settings = Settings(tls_certificate=paths[0], triton_tls_certificate=paths[1])
    assert days_left(settings) == {"tls.crt": 7}


def test_what_cannot_be_read_is_absent_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    assert read_expiries(Settings(tls_ca=text, triton_tls_certificate=tmp_path / "gone.pem")) == {}
    assert [record.getMessage().split(" expires")[0] for record in caplog.records] == [
        f"When {text}",
        f"When {tmp_path / 'gone.pem'}",
    ]


def test_what_triton_shows_is_read_also_where_it_asks_for_a_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = authority.client(authority.issue("me", "me@example.org"))
    with ExitStack() as stack:
        addresses = []
        for days in (40, 8):
            pair = authority.issue(f"server-{days}", HOST, valid_for=timedelta(days=days))
            shown = ServerTlsFiles(certificate=pair.certificate, key=pair.key, client_ca=authority.file)
            addresses.append(stack.enter_context(grpc_server(Servicer(), shown)))
        now = datetime.now(UTC).timestamp()
        assert [round((end - now) / 86400) for end in read_shown(addresses, tls).values()] == [8]
        assert list(read_shown(addresses[:1], tls)) == [SHOWN]


def test_a_certificate_that_has_expired_is_told_all_the_same(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("server", HOST, valid_for=timedelta(days=-2))
    with grpc_server(Servicer(), ServerTlsFiles(certificate=pair.certificate, key=pair.key)) as address:
        (end,) = read_shown([address], authority.client()).values()
    assert end < datetime.now(UTC).timestamp()


def test_nothing_is_told_of_a_triton_that_shows_no_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (port,) = free_ports(1)
    with grpc_server(Servicer()) as plain:
        assert read_shown([plain, f"{HOST}:{port}"], authority.client()) == {}
        assert read_shown([plain], None) == {}
