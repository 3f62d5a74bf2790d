"""The mirror in a real S3 server: the order of writes, interruptions, corruption, two writers, and Triton."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from hilum.contract import CLASSIFIER, SCREENING
from hilum.errors import ServiceUnreachableError, UsageError
from hilum.triton.installation import TritonInstallation
from hilum.triton.server import TritonServer
from tests.support.ports import free_ports
from tests.support.rollout_site import RolloutSite
from tests.support.s3_server import BUCKET, CREDENTIALS, S3Server, s3_server
from tests.support.signed_answers import FIRST, SECOND
from tests.support.toy_release import toy_release, write_toy_repository
from training.errors import MirrorError
from training.promote.rollout import apply, verify
from training.promote.targets import s3_lease
from training.promote.targets.mirror import mirror_of
from training.promote.targets.publication import Storage
from training.promote.targets.s3_address import S3Address
from training.promote.targets.s3_bucket import Bucket
from training.promote.targets.s3_mirror import S3Mirror
from training.repository.layout import render_configs, write_config
from training.repository.served_release import Lineup


@pytest.fixture(scope="module")
def running_server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(running_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    running_server.reset()
    return running_server


@pytest.fixture
def live(tmp_path: Path) -> Path:
    return write_toy_repository(tmp_path / "live", toy_release(), tmp_path / "scratch")


def open_mirror(address: str) -> S3Mirror:
    mirror = mirror_of(address)
    assert mirror is not None
    return mirror


def keys(folder: Path) -> dict[str, bytes]:
    """What the bucket holds when it is a copy of `folder`."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {f"live/{path.relative_to(folder)}": path.read_bytes() for path in paths}


def test_everything_arrives_before_what_names_it(s3: S3Server, live: Path) -> None:
    mirror = open_mirror(s3.address)
    mirror.push(live)
    written = [key for key in s3.written() if not key.endswith(s3_lease.LEASE_OBJECT)]
    configs = [key for key in written if key.endswith("config.pbtxt")]
    assert written[-len(configs) :] == configs, "each configuration after all version folders and labels"
    assert written[-1] == f"live/{SCREENING}/config.pbtxt", "the front door last"
    mirror.prune(live)
    assert s3.objects() == keys(live)
    assert mirror.differences(live, believe="nothing") == []


def test_a_second_push_writes_nothing(s3: S3Server, live: Path) -> None:
    mirror = open_mirror(s3.address)
    mirror.push(live)
    mirror.prune(live)
    s3.requests.clear()
    mirror.push(live)
    mirror.prune(live)
    assert s3.written() == s3.removed() == []


def make_newer(live: Path) -> None:
    """Change a live repository as a rollout does: version 2 of the classifier and release 2 come beside."""
    old, new = toy_release(), Lineup(champion=toy_release(2, classifier_version=2))
    shutil.copytree(live / CLASSIFIER / "1", live / CLASSIFIER / "2")
    for model in (SCREENING, "xray_monitor"):
        shutil.copytree(live / model / "1", live / model / "2")
    for model, config in render_configs(new, beside=[old]).items():
        write_config(live, model, config)


def names_only_what_is_there(objects: dict[str, bytes]) -> bool:
    """Whether a server that reads the bucket now finds every version that a configuration lists."""
    for key, content in objects.items():
        if not key.endswith("config.pbtxt"):
            continue
        policy = re.search(rb"version_policy.*?specific \{(.*?)\}", content, re.DOTALL)
        assert policy
        model = key.removesuffix("/config.pbtxt")
        for version in re.findall(rb"versions: (\d+)", policy[1]):
            if not any(name.startswith(f"{model}/{version.decode()}/") for name in objects):
                return False
    return True


def test_a_push_that_is_cut_short_anywhere_leaves_no_half_model_and_the_next_one_ends_it(
    s3: S3Server, live: Path
) -> None:
    mirror = open_mirror(s3.address)
    mirror.push(live)
    mirror.prune(live)
    before = s3.objects()
    make_newer(live)
    s3.requests.clear()
    mirror.push(live)
    writes = len(s3.written())
    assert writes > 6
    for allowed in range(1, writes, 2):  # the first write is the lease
        s3.reset()
        for key, content in before.items():
            s3.client().put_object(Bucket=BUCKET, Key=key, Body=content)
        s3.refuse_from_write(allowed)
        with pytest.raises(MirrorError, match="refuses to write"):
            mirror.push(live)
        s3.refused_from_write = None
        assert names_only_what_is_there(s3.objects()), f"after {allowed} writes"
        mirror.push(live)
        mirror.prune(live)
        assert s3.objects() == keys(live)


def test_what_arrives_spoilt_is_removed_and_nothing_that_names_it_is_written(
    s3: S3Server, live: Path
) -> None:
    s3.spoilt_key = f"live/{CLASSIFIER}/1/model.onnx"
    mirror = open_mirror(s3.address)
    with pytest.raises(MirrorError, match="came back with SHA-256"):
        mirror.push(live)
    assert s3.spoilt_key not in s3.objects()
    assert not any(key.endswith("config.pbtxt") for key in s3.objects())
    s3.spoilt_key = None
    mirror.push(live)
    assert mirror.differences(live, believe="nothing") == []


def test_differences_reads_content_not_metadata(s3: S3Server, live: Path) -> None:
    mirror = open_mirror(s3.address)
    mirror.push(live)
    client = s3.client()
    network, labels = f"live/{CLASSIFIER}/1/model.onnx", f"live/{CLASSIFIER}/labels.txt"
    stored = client.get_object(Bucket=BUCKET, Key=network)
    content = bytearray(stored["Body"].read())
    content[100] ^= 1
    client.put_object(Bucket=BUCKET, Key=network, Body=bytes(content), Metadata=stored["Metadata"])
    client.put_object(Bucket=BUCKET, Key=labels, Body=b"other\n")
    client.delete_object(Bucket=BUCKET, Key="live/xray_decode/1/model.py")
    client.put_object(Bucket=BUCKET, Key="live/xray_filter/9/model.onnx", Body=b"stray")
    found = " ".join(mirror.differences(live, believe="nothing"))
    assert f"{CLASSIFIER}/1/model.onnx is corrupt" in found
    assert f"{CLASSIFIER}/labels.txt has SHA-256" in found
    assert "xray_decode/1/model.py is missing" in found
    assert "xray_filter/9/model.onnx is not part of what is served" in found
    mirror.push(live)
    mirror.prune(live)
    assert mirror.differences(live, believe="nothing") == []


def test_a_published_release_is_completed_but_never_replaced(
    s3: S3Server, live: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    storage = Storage.parse(f"s3://{BUCKET}/releases", None)
    storage.publish(1, live)
    published = s3.objects()
    s3.client().delete_object(Bucket=BUCKET, Key=f"releases/release-1/{SCREENING}/config.pbtxt")
    storage.publish(1, live)
    assert s3.objects() == published
    other = write_toy_repository(tmp_path / "other", toy_release(2), tmp_path / "scratch")
    with pytest.raises(MirrorError, match=r"releases/release-1 .* holds another model repository"):
        storage.publish(1, other)
    assert s3.objects() == published


def test_prune_removes_configurations_first_and_nothing_of_others(s3: S3Server, live: Path) -> None:
    mirror = open_mirror(s3.address)
    mirror.push(live)
    client = s3.client()
    challenger = "live/xray_screening_challenger"
    gone = [f"{challenger}/config.pbtxt", f"{challenger}/2/.gitkeep", f"live/{CLASSIFIER}/2/model.onnx"]
    others = ["notes.txt", "live/notes.txt", "live/somebodys_model/config.pbtxt"]
    for key in gone + others:
        client.put_object(Bucket=BUCKET, Key=key, Body=b"")
    s3.requests.clear()
    mirror.prune(live)
    assert [key for key in s3.removed() if not key.endswith(s3_lease.LEASE_OBJECT)] == gone
    assert set(others) < set(s3.objects())
    assert f"live/{s3_lease.LEASE_OBJECT}" not in s3.objects()


def test_a_second_live_folder_waits_its_turn(
    s3: S3Server, live: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = open_mirror(s3.address)
    other = write_toy_repository(tmp_path / "other", toy_release(2), tmp_path / "scratch")
    mirror.push(live)
    with pytest.raises(MirrorError, match=rf"{live} is writing .* Wait at most \d+ s for it"):
        open_mirror(s3.address).push(other)
    assert not any("/2/" in key for key in s3.objects())
    mirror.prune(live)
    open_mirror(s3.address).push(other)  # and is killed here
    monkeypatch.setattr(s3_lease, "LEASE_S", -1.0)
    mirror.push(live)
    mirror.prune(live)
    assert s3.objects() == keys(live)


def test_of_two_writers_at_once_one_wins(s3: S3Server) -> None:
    bucket = Bucket(S3Address.parse(s3.address))
    assert bucket.write_note("turn", b"one", instead_of=None)
    assert not bucket.write_note("turn", b"two", instead_of=None)
    read = bucket.read_note("turn")
    assert read
    assert bucket.write_note("turn", b"three", instead_of=read)
    assert not bucket.write_note("turn", b"four", instead_of=read)
    assert s3.objects() == {"live/turn": b"three"}


def test_errors_say_what_to_do(s3: S3Server, live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="There is no bucket 'elsewhere'"):
        open_mirror(f"s3://{s3.url}/elsewhere/live").push(live)
    s3.refuse_from_write(0)
    with pytest.raises(MirrorError, match=r"AccessDenied.*The credentials need the rights"):
        open_mirror(s3.address).push(live)
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(ServiceUnreachableError, match=f"S3 does not answer at {nobody}"):
        open_mirror(f"s3://{nobody}/{BUCKET}/live").push(live)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(live / "none"))
    with pytest.raises(UsageError, match="There are no credentials"):
        open_mirror(s3.address).push(live)


def from_bucket(server: TritonServer, address: str) -> TritonServer:
    """A server that reads the bucket instead of the live folder."""

    class FromBucket(TritonServer):
        @override
        def command(self, installation: TritonInstallation) -> list[str]:
            command = super().command(installation)
            index = command.index("--model-repository=repository")
            return [*command[:index], f"--model-repository={address}", *command[index + 1 :]]

    return FromBucket(
        repository=server.repository,
        home=server.home,
        admin_key=server.admin_key,
        addresses=server.addresses,
    )


def test_a_rollout_over_a_bucket_loses_no_request_and_mends_it(
    s3: S3Server, rollout_site: RolloutSite
) -> None:
    first, second = (rollout_site.releases.number(kind) for kind in (FIRST, SECOND))
    mirror = open_mirror(s3.address)
    with rollout_site.open(mirror=mirror) as site:
        assert apply(site, {"champion": first, "challenger": None}).outcome == "written"
    server = from_bucket(rollout_site.server, mirror.address)
    with rollout_site.triton(server), rollout_site.open(mirror=mirror) as site:
        with rollout_site.hammered(callers=1) as answers:
            result = apply(site, {"champion": second, "challenger": first})
            assert (result.outcome, result.previous, result.challenger) == ("loaded", first, first)
        assert {answer.release for answer in answers} == {first, second}
        rollout_site.assert_serves_only(second, first)
        assert s3.objects() == keys(site.repository)
        key = next(key for key in s3.objects() if key.endswith("model.onnx"))
        stored = s3.client().get_object(Bucket=BUCKET, Key=key)
        s3.client().put_object(Bucket=BUCKET, Key=key, Body=b"rubbish", Metadata=stored["Metadata"])
        (problem,) = verify(site, {"champion": second, "challenger": first}).problems
        assert "is corrupt" in problem
        apply(site, {"champion": second, "challenger": first})
        assert verify(site, {"champion": second, "challenger": first}).problems == ()
