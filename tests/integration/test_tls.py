"""gRPC encrypted, with the real Triton: who is let in, who is told why not, and what works over it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from clients.client import ScreeningClient
from clients.errors import TlsError
from clients.load import run_load
from hilum.contract import SCREENING
from hilum.errors import ServiceUnreachableError
from hilum.probe import answers_ok
from hilum.tls import ServerTlsFiles, TlsFiles
from hilum.triton.admin import fetch_model_states
from hilum.triton.process import running
from hilum.triton.server import TritonServer
from tests.support.certificates import Authority, Pair
from tests.support.image_files import drawn_picture, encoded
from tests.support.rollout_site import RolloutSite
from tests.support.servers import ADMIN_KEY
from tests.support.signed_answers import FIRST
from training.errors import RolloutError
from training.ledger.ledger import Ledger
from training.promote.promotion import Role
from training.promote.rollout import apply, verify
from training.promote.site import Site
from training.promote.triton_control import TritonControl
from training.promote.watch.certificates import read_shown

IMAGE = encoded(drawn_picture(), "PNG")


@dataclass(frozen=True)
class Secured:
    """Two Tritons, of which one asks clients for a certificate, and who vouches for whom."""

    authority: Authority
    me: Pair
    tls: str
    mutual: str
    mutual_server: TritonServer


def secured(server: TritonServer, tls: ServerTlsFiles) -> TritonServer:
    """Return a server that encrypts."""
    return replace(server, tls=tls, addresses=replace(server.addresses, is_encrypted=True))


@pytest.fixture(scope="module")
def tritons(
    toy_repository: Callable[[], Path],
    make_server: Callable[[Path], TritonServer],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Secured]:
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    repository = toy_repository()
    one_way = secured(make_server(repository), authority.server())
    mutual = secured(make_server(repository), authority.server(client_ca=authority.file))
    with ExitStack() as stack:
        for server in (one_way, mutual):
            stack.enter_context(running(server, server.home / "triton.log"))
        yield Secured(
            authority,
            authority.issue("me", "me@example.org"),
            one_way.addresses.grpc,
            mutual.addresses.grpc,
            mutual,
        )


def screened(address: str, tls: TlsFiles | None) -> int:
    """Return the release that answers an image."""
    with ScreeningClient(address, tls=tls) as client:
        client.check_ready()
        return client.screen(IMAGE).release


class TestWhoIsLetIn:
    def test_one_way_lets_in_who_encrypts(self, tritons: Secured) -> None:
        assert screened(tritons.tls, tritons.authority.client()) == 1

    def test_mutual_lets_in_whom_the_authority_vouches_for(self, tritons: Secured) -> None:
        assert screened(tritons.mutual, tritons.authority.client(tritons.me)) == 1

    def test_mutual_keeps_out_who_shows_nothing(self, tritons: Secured) -> None:
        with pytest.raises(TlsError, match="set HILUM_TLS_CERTIFICATE and HILUM_TLS_KEY"):
            screened(tritons.mutual, tritons.authority.client())

    def test_mutual_keeps_out_who_shows_anothers(self, tritons: Secured, tmp_path: Path) -> None:
        stranger = Authority(tmp_path, "strangers").issue("stranger", "stranger@example.org")
        with pytest.raises(TlsError, match=r"does not accept the client's certificate .*stranger\.pem"):
            screened(tritons.mutual, tritons.authority.client(stranger))

    def test_both_keep_out_who_does_not_encrypt(self, tritons: Secured) -> None:
        for address in (tritons.tls, tritons.mutual):
            with pytest.raises(TlsError, match="takes encrypted connections only: set HILUM_TLS_CA"):
                screened(address, None)

    def test_a_client_trusts_no_other_authority(self, tritons: Secured, tmp_path: Path) -> None:
        with pytest.raises(TlsError, match="No authority in"):
            screened(tritons.tls, Authority(tmp_path, "others").client())

    def test_http_and_metrics_answer_this_machine_only(self, tritons: Secured) -> None:
        addresses = replace(tritons.mutual_server.addresses, host="0.0.0.0")
        assert addresses.ready_url == tritons.mutual_server.addresses.ready_url
        assert answers_ok(addresses.ready_url)
        assert answers_ok(addresses.metrics_url)


class TestAdminCalls:
    def test_the_key_opens_them_over_tls(self, tritons: Secured) -> None:
        states = fetch_model_states(tritons.mutual, ADMIN_KEY, tritons.authority.client(tritons.me))
        assert (SCREENING, "1", "READY") in {(each.model, each.version, each.state) for each in states}

    def test_a_certificate_alone_does_not(self, tritons: Secured) -> None:
        with pytest.raises(ServiceUnreachableError, match="HILUM_ADMIN_KEY"):
            fetch_model_states(tritons.mutual, "another", tritons.authority.client(tritons.me))

    def test_without_tls_the_reason_is_told(self, tritons: Secured) -> None:
        with pytest.raises(ServiceUnreachableError, match="takes encrypted connections only"):
            fetch_model_states(tritons.mutual, ADMIN_KEY)

    def test_a_server_that_cannot_be_spoken_to_does_not_count_as_down(self, tritons: Secured) -> None:
        """A rollout would change the files under it."""
        with (
            TritonControl(tritons.mutual, ADMIN_KEY) as control,
            pytest.raises(RolloutError, match=r"cannot be spoken to\. The server takes encrypted"),
        ):
            control.is_live()


def test_a_load_goes_over_tls(tritons: Secured) -> None:
    tls = tritons.authority.client(tritons.me)
    assert len(run_load(tritons.mutual, [IMAGE], requests=8, in_flight=2, tls=tls).latencies_s) == 8
    with pytest.raises(TlsError):
        run_load(tritons.mutual, [IMAGE], requests=1, in_flight=1, tls=tritons.authority.client())


def test_predict_takes_the_files_from_the_settings(
    tritons: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(IMAGE)
    monkeypatch.setenv("HILUM_TRITON_URL", tritons.mutual)
    monkeypatch.setenv("HILUM_TLS_CA", str(tritons.authority.file))

    def predict() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hilum", "predict", "--json", str(tmp_path / "a.png")]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    refused = predict()
    assert refused.returncode == 4
    assert "set HILUM_TLS_CERTIFICATE and HILUM_TLS_KEY" in " ".join(refused.stderr.split())
    monkeypatch.setenv("HILUM_TLS_CERTIFICATE", str(tritons.me.certificate))
    monkeypatch.setenv("HILUM_TLS_KEY", str(tritons.me.key))
    done = predict()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["release"] == 1


@pytest.mark.parametrize("kind", ["tls", "mutual"])
def test_when_what_it_shows_expires_is_read_from_the_server_itself(tritons: Secured, kind: str) -> None:
    tls = tritons.authority.client(tritons.me if kind == "mutual" else None)
    (end,) = read_shown([getattr(tritons, kind)], tls).values()
    assert round((end - datetime.now(UTC).timestamp()) / 86400) == 30


def test_a_rollout_goes_over_mutual_tls(rollout_site: RolloutSite, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "certificates")
    tls = authority.client(authority.issue("rollout", "rollout@example.org"))
    server = secured(rollout_site.server, authority.server(client_ca=authority.file))
    number = rollout_site.releases.number(FIRST)
    with (
        rollout_site.triton(server),
        TritonControl(rollout_site.address, ADMIN_KEY, tls) as triton,
        Ledger(rollout_site.ledger_url) as ledger,
    ):
        site = Site(
            registry=rollout_site.releases.registry,
            ledger=ledger,
            repository=rollout_site.live,
            triton=triton,
            instances=1,
            who="tests",
        )
        roles: dict[Role, int | None] = {"champion": number, "challenger": None}
        assert apply(site, roles).outcome == "loaded"
        assert verify(site, roles).problems == ()
        assert screened(rollout_site.address, tls) == number
        with (
            grpcclient.InferenceServerClient(rollout_site.address) as plain,
            pytest.raises(InferenceServerException, match="failed to connect"),
        ):
            plain.unload_model(SCREENING)
