"""What the mirror reads whole and what it believes, on a bucket in memory."""

import hashlib
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest

from hilum.contract import CLASSIFIER
from training.promote.targets.s3_address import S3Address
from training.promote.targets.s3_bucket import Fingerprint
from training.promote.targets.s3_etag import PART_BYTES, fits
from training.promote.targets.s3_mirror import S3Mirror

NETWORK = f"{CLASSIFIER}/1/model.onnx"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class MemoryBucket:
    """Stands for the bucket; remembers which objects were read whole."""

    def __init__(self) -> None:
        self.address = S3Address.parse("s3://models/live")
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.read: list[str] = []

    def names(self) -> set[str]:
        return set(self.objects)

    def etags(self) -> dict[str, str]:
        return {name: f'"{md5(content).hexdigest()}"' for name, (content, _) in self.objects.items()}

    def fingerprint(self, name: str) -> Fingerprint:
        content, noted = self.objects[name]
        return Fingerprint(sha256=noted, size=len(content))

    def content_digest(self, name: str) -> str:
        self.read.append(name)
        return sha256(self.objects[name][0])


@pytest.fixture
def live(tmp_path: Path) -> Path:
    (tmp_path / NETWORK).parent.mkdir(parents=True)
    (tmp_path / NETWORK).write_bytes(b"network")
    return tmp_path


@pytest.fixture
def bucket() -> MemoryBucket:
    made = MemoryBucket()
    made.objects[NETWORK] = (b"network", sha256(b"network"))
    return made


def mirror_in(bucket: Any) -> S3Mirror:
    return S3Mirror(bucket)


def test_noted_digests_are_believed_and_nothing_is_read(live: Path, bucket: MemoryBucket) -> None:
    mirror = mirror_in(bucket)
    assert mirror.differences(live, believe="notes") == []
    bucket.objects[NETWORK] = (b"another", sha256(b"another"))
    (sentence,) = mirror.differences(live, believe="notes")
    assert f"{NETWORK} is noted with SHA-256 {sha256(b'another')[:12]}" in sentence
    bucket.objects[NETWORK] = (b"network, longer", sha256(b"network"))
    assert len(mirror.differences(live, believe="notes")) == 1
    bucket.objects = {f"{CLASSIFIER}/2/model.onnx": (b"", "")}
    assert len(mirror.differences(live, believe="notes")) == 2
    assert bucket.read == []


def test_what_a_reading_found_corrupt_stays_known(live: Path, bucket: MemoryBucket) -> None:
    mirror = mirror_in(bucket)
    bucket.objects[NETWORK] = (b"NETWORK", sha256(b"network"))
    assert mirror.differences(live, believe="notes") == []
    assert "is corrupt" in mirror.differences(live, believe="nothing")[0]
    assert bucket.read == [NETWORK]
    assert "is corrupt" in mirror.differences(live, believe="notes")[0]
    bucket.objects[NETWORK] = (b"network", sha256(b"network"))
    assert mirror.differences(live, believe="nothing") == mirror.differences(live, believe="notes") == []


def test_only_what_its_tag_does_not_prove_is_read(live: Path, bucket: MemoryBucket) -> None:
    mirror = mirror_in(bucket)
    assert mirror.differences(live, believe="etags") == []
    assert bucket.read == []
    bucket.objects[NETWORK] = (b"NETWORK", sha256(b"network"))
    assert "is corrupt" in mirror.differences(live, believe="etags")[0]
    assert bucket.read == [NETWORK]


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES])
def test_a_tag_is_known_for_a_content_sent_whole_and_in_parts(tmp_path: Path, size: int) -> None:
    path = tmp_path / "content"
    path.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    content = path.read_bytes()
    whole = md5(content).hexdigest()
    assert fits(f'"{whole}"', path)
    parts = [content[start : start + PART_BYTES] for start in range(0, size, PART_BYTES)]
    joined = md5(b"".join(md5(part).digest() for part in parts)).hexdigest()
    assert fits(f'"{joined}-{len(parts)}"', path)
    assert not fits(f'"{joined}-{len(parts) + 1}"', path)
    assert not fits(f'"{md5(content + b"x").hexdigest()}"', path)


def test_conflicts_are_other_contents_and_strays_but_not_what_is_missing(
    live: Path, bucket: MemoryBucket
) -> None:
    mirror = mirror_in(bucket)
    assert mirror.conflicts(live) == []
    bucket.objects[NETWORK] = (b"network", "")  # copied there by another tool
    assert mirror.conflicts(live) == []
    bucket.objects[NETWORK] = (b"another", sha256(b"another"))
    bucket.objects[f"{CLASSIFIER}/2/model.onnx"] = (b"", sha256(b""))
    bucket.objects["notes.txt"] = (b"", "")
    assert mirror.conflicts(live) == [NETWORK, f"{CLASSIFIER}/2/model.onnx"]
    bucket.objects = {}
    assert mirror.conflicts(live) == []
