"""Releases are published to where KServe's pods fetch them: whole, once, and again after a kill."""

from pathlib import Path

import pytest

from hilum.contract import SCREENING
from tests.support.rollout_site import ToyReleases
from tests.support.s3_server import CREDENTIALS, s3_server
from tests.support.signed_answers import FIRST
from training.errors import MirrorError
from training.promote.targets.publication import Storage, publish
from training.promote.targets.s3_lease import LEASE_OBJECT
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
