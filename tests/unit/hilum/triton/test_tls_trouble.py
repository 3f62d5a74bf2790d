"""Every way in which client and server can disagree on encryption has a sentence of its own."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tritonclient.utils import InferenceServerException

from hilum.tls import ServerTlsFiles, TlsFiles
from hilum.triton.channel import connect, connect_async
from hilum.triton.tls_trouble import find_tls_trouble
from tests.support.certificates import HOST, Authority
from tests.support.grpc_server import Servicer, grpc_server

Files = tuple[ServerTlsFiles | None, TlsFiles | None]


class Certificates:
    """Two authorities, of which each vouches for a server and for clients."""

    def __init__(self, folder: Path) -> None:
        self.ours, self.others = Authority(folder, "ours"), Authority(folder, "others")
        self.me = self.ours.issue("me", "me@example.org")
        self.stranger = self.others.issue("stranger", "stranger@example.org")
        self.late = self.ours.issue("late", "late@example.org", valid_for=timedelta(days=-1))

    def server(self, *names: str, valid_for: timedelta = timedelta(days=1)) -> ServerTlsFiles:
        pair = self.ours.issue("server", *names, valid_for=valid_for)
        return ServerTlsFiles(certificate=pair.certificate, key=pair.key)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


WORKS: dict[str, Callable[[Certificates], Files]] = {
    "plain": lambda _: (None, None),
    "encrypted": lambda c: (c.ours.server(), c.ours.client()),
    "mutual": lambda c: (c.ours.server(client_ca=c.ours.file), c.ours.client(c.me)),
    "a name that is not the address": (
        lambda c: (
            c.server("triton.example.org"),
            replace(c.ours.client(), server_name="triton.example.org"),
        )
    ),
    "a client that shows more than it must": lambda c: (c.ours.server(), c.ours.client(c.me)),
}

FAILS: dict[str, tuple[Callable[[Certificates], Files], str]] = {
    "a plain client": (
        lambda c: (c.ours.server(), None),
        "takes encrypted connections only: set HILUM_TLS_CA",
    ),
    "a plain client, mutual": (
        lambda c: (c.ours.server(client_ca=c.ours.file), None),
        "takes encrypted connections only",
    ),
    "a plain server": (lambda c: (None, c.ours.client()), "does not encrypt: leave HILUM_TLS_CA empty"),
    "an authority that nobody trusts": (
        lambda c: (c.ours.server(), c.others.client()),
        r"No authority in .*others\.pem \(HILUM_TLS_CA\) vouches",
    ),
    "a server's certificate that has expired": (
        lambda c: (c.server(HOST, valid_for=timedelta(days=-1)), c.ours.client()),
        "The server's certificate has expired",
    ),
    "a certificate of another host": (
        lambda c: (c.server("triton.example.org"), c.ours.client()),
        r"The server's certificate is not for 127\.0\.0\.1",
    ),
    "no certificate where one is asked for": (
        lambda c: (c.ours.server(client_ca=c.ours.file), c.ours.client()),
        "set HILUM_TLS_CERTIFICATE and HILUM_TLS_KEY",
    ),
    "a client of another authority": (
        lambda c: (c.ours.server(client_ca=c.ours.file), c.ours.client(c.stranger)),
        r"does not accept the client's certificate .*stranger\.pem",
    ),
    "a client's certificate that has expired": (
        lambda c: (c.ours.server(client_ca=c.ours.file), c.ours.client(c.late)),
        r"does not accept the client's certificate .*late\.pem: it has expired, or",
    ),
}


@pytest.mark.parametrize("case", WORKS)
def test_where_both_agree_there_is_none(case: str, certificates: Certificates) -> None:
    server, client = WORKS[case](certificates)
    with grpc_server(Servicer(), server) as address:
        with connect(address, client) as connection:
            assert connection.is_server_live(client_timeout=10)
        assert find_tls_trouble(address, client) is None


@pytest.mark.parametrize("case", FAILS)
def test_where_they_do_not_it_is_told(case: str, certificates: Certificates) -> None:
    make, sentence = FAILS[case]
    server, client = make(certificates)
    with grpc_server(Servicer(), server) as address:
        with (
            connect(address, client) as connection,
            pytest.raises(InferenceServerException, match="failed to connect"),
        ):
            connection.is_server_live(client_timeout=10)
        trouble = find_tls_trouble(address, client)
        assert trouble is not None
        assert re.search(sentence, trouble), trouble


def test_asyncio_is_secured_alike(certificates: Certificates) -> None:
    async def is_live(address: str, tls: TlsFiles) -> bool:
        async with connect_async(address, tls) as connection:
            return bool(await connection.is_server_live(client_timeout=10))

    mutual = certificates.ours.server(client_ca=certificates.ours.file)
    with grpc_server(Servicer(), mutual) as address:
        assert asyncio.run(is_live(address, certificates.ours.client(certificates.me)))
        with pytest.raises(InferenceServerException, match="failed to connect"):
            asyncio.run(is_live(address, certificates.ours.client()))


@pytest.mark.parametrize("address", [f"{HOST}:1", "nowhere.invalid:8001", "[::1]:1"])
def test_where_nobody_answers_it_is_nothing_of_the_kind(address: str, certificates: Certificates) -> None:
    assert find_tls_trouble(address, None) is None
    assert find_tls_trouble(address, certificates.ours.client()) is None
