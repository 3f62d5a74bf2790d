"""Releases are published to where KServe's pods fetch them, and each pod is asked for what it promised."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from hilum.contract import SCREENING
from hilum.settings import settings
from hilum.triton.process import running
from hilum.triton.server import TritonServer
from tests.support.rollout_site import ToyReleases
from tests.support.s3_server import CREDENTIALS, s3_server
from tests.support.servers import ADMIN_KEY
from tests.support.signed_answers import FIRST
from training.commands.rollout import verify as verify_command
from training.errors import MirrorError
from training.promote.targets.pod_verification import verify_pods
from training.promote.targets.publication import Storage, publish
from training.promote.targets.s3_lease import LEASE_OBJECT
from training.promote.triton_control import TritonControl
from training.promote.triton_fleet import TritonFleet
from training.promote.wanted import Wanted, fetch_wanted
from training.repository.lint import lint_repository


@pytest.fixture
def wanted(toy_releases: ToyReleases) -> Wanted:
    return fetch_wanted(toy_releases.registry, {"champion": toy_releases.number(FIRST), "challenger": None})


def test_a_volume_gets_a_release_whole_and_keeps_it(
    toy_releases: ToyReleases, wanted: Wanted, tmp_path: Path
) -> None:
    number = wanted.number("champion")
    storage = Storage.parse("pvc://models/releases", tmp_path)
    publish(toy_releases.registry, wanted, storage, instances=1)
    place = tmp_path / f"release-{number}"
    assert lint_repository(place) == []
    assert [path.name for path in tmp_path.iterdir()] == [place.name]
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    publish(toy_releases.registry, wanted, storage, instances=1)
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before
    with pytest.raises(MirrorError, match="holds another model repository"):
        publish(toy_releases.registry, wanted, storage, instances=2)


def test_a_publication_that_was_killed_keeps_out_no_other_of_the_same_release(
    toy_releases: ToyReleases, wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage.parse("s3://models/releases", None)
    with s3_server() as s3:
        s3.reset()  # moto's servers in one process share their buckets
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": s3.url}.items():
            monkeypatch.setenv(name, value)
        for stage in (1, 3):  # the first write is the lease
            s3.refuse_from_write(stage)
            with pytest.raises(MirrorError, match="refuses to write"):
                publish(toy_releases.registry, wanted, storage, instances=1)
            s3.refused_from_write = None
            if stage == 1:
                with pytest.raises(MirrorError, match=r"whoever publishes .* is writing"):
                    publish(toy_releases.registry, wanted, storage, instances=2)  # another content
        publish(toy_releases.registry, wanted, storage, instances=1)
        place = f"releases/release-{wanted.number('champion')}"
        assert f"{place}/{SCREENING}/config.pbtxt" in s3.objects()
        assert f"{place}/{LEASE_OBJECT}" not in s3.objects()


def test_each_pod_is_asked_for_the_release_that_it_serves(
    toy_releases: ToyReleases,
    mlflow_server: str,
    make_server: Callable[[Path], TritonServer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    registry = toy_releases.registry
    first, breaker = toy_releases.number(FIRST), toy_releases.promise_breaker()

    def named(champion: int, challenger: int | None = None) -> Wanted:
        return fetch_wanted(registry, {"champion": champion, "challenger": challenger})

    publish(registry, named(first, breaker), Storage.parse("pvc://models/releases", tmp_path), instances=1)
    servers = [make_server(tmp_path / f"release-{number}") for number in (first, breaker)]
    addresses = [server.addresses.grpc for server in servers]
    with ExitStack() as stack:
        for server in servers:
            stack.enter_context(running(server, server.home / "triton.log"))
        one, other = (stack.enter_context(TritonControl(address, ADMIN_KEY)) for address in addresses)

        alone = verify_pods(registry, one, named(first))
        assert alone.is_passed
        assert [(pod.address, pod.release) for pod in alone.pods] == [(addresses[0], first)]

        both = verify_pods(registry, TritonFleet("both", [one, other]), named(first, breaker))
        assert [(pod.address, pod.release) for pod in both.pods] == list(
            zip(addresses, (first, breaker), strict=True)
        )
        (broken,) = both.problems
        assert broken.startswith(f"{addresses[1]}: ")
        assert "promised was" in broken

        unnamed = verify_pods(registry, other, named(first)).problems
        assert f"{addresses[1]} serves release {breaker}, which no alias names." in unnamed
        assert f"The registry's champion is release {first}; no pod serves it." in unnamed

        monkeypatch.setattr("training.promote.wanted.fetch_wanted", lambda _: named(first))
        monkeypatch.setenv("HILUM_MLFLOW_URI", mlflow_server)
        monkeypatch.setenv("HILUM_ADMIN_KEY", ADMIN_KEY)
        monkeypatch.setenv("HILUM_TRITON_URL", f"dns:///{addresses[0]}")
        settings.cache_clear()
        verify_command.main(["--kserve"], standalone_mode=False)
        assert f"{addresses[0]}: release {first}" in capsys.readouterr().out
    settings.cache_clear()
    with TritonControl(addresses[0], ADMIN_KEY) as gone:
        nobody = verify_pods(registry, gone, named(first))
    assert nobody.problems == (f"No Triton answers at {addresses[0]}.",)
