"""Several Tritons as one: what they are said to have loaded, what each is told, and who is left out."""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest
from pydantic import SecretStr
from tritonclient.grpc.model_config_pb2 import ModelConfig

from hilum.contract import CLASSIFIER, SCREENING
from hilum.errors import ServiceUnreachableError, UsageError
from hilum.settings import Settings
from hilum.tls import TlsFiles
from tests.support.certificates import Authority
from training.errors import RolloutError
from training.promote.asking import FrontDoorAnswer
from training.promote.triton_control import TritonControl
from training.promote.triton_fleet import TritonFleet, opened_triton

ANSWER = FrontDoorAnswer(release=3, valid_probability=0.9, accepted=True, probabilities=(0.2, 0.7, 0.1))
REJECTED = replace(ANSWER, accepted=False, probabilities=(float("nan"),) * 3)


@dataclass
class Server:
    """Stands in for one Triton."""

    address: str
    loaded: dict[str, set[int]] = field(default_factory=dict)
    is_up: bool = True
    answer: FrontDoorAnswer = ANSWER
    copies: int = 1
    told: list[str] = field(default_factory=list)

    def is_live(self) -> bool:
        return self.is_up

    def loaded_versions(self) -> dict[str, set[int]]:
        assert self.is_up
        return self.loaded

    def config(self, model: str, version: int | None = None) -> ModelConfig:
        assert version is None or version in self.loaded[model]
        config = ModelConfig(name=model)
        config.instance_group.add(count=self.copies)
        config.version_policy.specific.versions.extend(self.loaded[model])
        return config

    def load(self, model: str) -> None:
        if not self.is_up:
            raise RolloutError(f"{self.address} is gone.")
        self.told.append(f"load {model}")

    def unload(self, model: str) -> None:
        self.told.append(f"unload {model}")

    def screen(self, image: bytes, *, door: str) -> FrontDoorAnswer:
        assert (image, door) == (b"image", SCREENING)
        return self.answer


def fleet(*servers: Server) -> TritonFleet:
    return TritonFleet("dns:///triton:8001", cast("tuple[TritonControl, ...]", servers))


def test_what_one_server_lacks_is_not_taken_for_loaded() -> None:
    one, other = Server("a:1", {CLASSIFIER: {4, 5}}), Server("b:1", {CLASSIFIER: {5}})
    both = fleet(one, other)
    assert both.loaded_versions() == {CLASSIFIER: {4, 5}}
    assert both.config(CLASSIFIER, 5).name == CLASSIFIER, "lists of versions may differ"
    assert both.config(CLASSIFIER, 4) == ModelConfig()
    assert both.config(CLASSIFIER).name == CLASSIFIER


def test_a_version_under_two_configurations_runs_under_neither() -> None:
    one, other = Server("a:1", {CLASSIFIER: {5}}), Server("b:1", {CLASSIFIER: {5}}, copies=2)
    assert fleet(one, other).config(CLASSIFIER, 5) == ModelConfig()
    assert fleet(one, replace(other, copies=1)).config(CLASSIFIER, 5).name == CLASSIFIER


def test_a_front_door_that_one_server_has_is_found() -> None:
    """As in a pod that started while the challenger was withdrawn."""
    one, other = Server("a:1"), Server("b:1", {SCREENING: {3}})
    assert fleet(one, other).config(SCREENING).name == SCREENING


def test_every_server_loads_and_only_those_that_have_a_model_unload_it() -> None:
    one, other = Server("a:1", {CLASSIFIER: {5}}), Server("b:1")
    both = fleet(one, other)
    both.load(CLASSIFIER)
    both.unload(CLASSIFIER)
    assert one.told == [f"load {CLASSIFIER}", f"unload {CLASSIFIER}"]
    assert other.told == [f"load {CLASSIFIER}"]


def test_a_server_that_is_gone_is_left_out() -> None:
    one, other = Server("a:1", {CLASSIFIER: {5}}), Server("b:1", is_up=False)
    both = fleet(one, other)
    assert both.is_live()
    both.load(CLASSIFIER)
    assert both.loaded_versions() == {CLASSIFIER: {5}}
    assert other.told == []
    one.is_up = False
    assert not both.is_live()
    assert both.loaded_versions() == {}


def test_a_server_that_goes_while_it_loads_fails_the_rollout() -> None:
    one, other = Server("a:1"), Server("b:1")
    both = fleet(one, other)
    assert both.is_live()
    other.is_up = False
    with pytest.raises(RolloutError, match="b:1 is gone"):
        both.load(CLASSIFIER)


@pytest.mark.parametrize("answer", [ANSWER, REJECTED, replace(ANSWER, valid_probability=0.901)])
def test_servers_that_answer_alike_are_believed(answer: FrontDoorAnswer) -> None:
    first = REJECTED if not answer.accepted else ANSWER
    given = fleet(Server("a:1", answer=first), Server("b:1", answer=answer)).screen(b"image")
    assert given is first


@pytest.mark.parametrize(
    "answer",
    [
        REJECTED,
        replace(ANSWER, release=2),
        replace(ANSWER, valid_probability=0.91),
        replace(ANSWER, probabilities=(0.1, 0.8, 0.1)),
        replace(ANSWER, probabilities=(float("nan"), 0.7, 0.1)),
    ],
)
def test_servers_that_answer_otherwise_are_named(answer: FrontDoorAnswer) -> None:
    with pytest.raises(RolloutError, match=rf"a:1 \(release 3\) and at b:1 \(release {answer.release}\)"):
        fleet(Server("a:1"), Server("b:1", answer=answer)).screen(b"image")


Resolver = Callable[..., object]


def resolving(monkeypatch: pytest.MonkeyPatch, result: Resolver) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", result)


def settings_for(url: str) -> Settings:
    return Settings(triton_url=url, admin_key=SecretStr("key"))


def test_a_name_stands_for_each_of_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(host: str, port: int, **_: object) -> object:
        assert (host, port) == ("triton.screening.svc", 8001)
        tcp = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*tcp, ("10.0.0.2", 8001)), (*tcp, ("10.0.0.1", 8001)), (*tcp, ("fd00::1", 8001, 0, 0))]

    resolving(monkeypatch, answer)
    with opened_triton(settings_for("dns:///triton.screening.svc:8001")) as both:
        assert isinstance(both, TritonFleet)
        assert [each.address for each in both._members] == [
            "10.0.0.1:8001",
            "10.0.0.2:8001",
            "[fd00::1]:8001",
        ]


def test_certificates_name_the_service_not_its_pods(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    resolving(monkeypatch, lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 8001))])
    ca = Authority(tmp_path).file
    here = settings_for("dns:///triton.screening.svc:8001").model_copy(update={"tls_ca": ca})
    with opened_triton(here) as both:
        assert isinstance(both, TritonFleet)
        (member,) = both._members
        assert member._tls == TlsFiles(ca=ca, server_name="triton.screening.svc")


def failing(code: int) -> Resolver:
    def fail(*_: object, **__: object) -> object:
        raise socket.gaierror(code, "no")

    return fail


def test_a_name_without_addresses_is_a_server_that_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, failing(socket.EAI_NONAME))
    with opened_triton(settings_for("dns:///triton:8001")) as nobody:
        assert not nobody.is_live()


def test_a_name_service_that_fails_is_not_taken_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that nobody could find may be serving: files under them must not change."""
    resolving(monkeypatch, failing(socket.EAI_AGAIN))
    url = settings_for("dns:///triton:8001")
    with pytest.raises(ServiceUnreachableError, match="not known"), opened_triton(url):
        pass


@pytest.mark.parametrize("url", ["dns:///triton", "dns:///:8001", "dns:///triton:grpc"])
def test_an_address_without_host_or_port_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="HILUM_TRITON_URL"), opened_triton(settings_for(url)):
        pass


def test_any_other_address_is_one_server() -> None:
    with opened_triton(settings_for("triton:8001")) as one:
        assert type(one) is TritonControl
        assert one.address == "triton:8001"
