"""Addresses and mounts that do not fit together are refused before anything is published."""

from pathlib import Path

import pytest

from hilum.errors import UsageError
from training.promote.targets.publication import Storage


def test_bucket_and_volume_are_taken(tmp_path: Path) -> None:
    assert Storage.parse("s3://models/releases/", None).url == "s3://models/releases"
    assert Storage.parse("pvc://claim/releases", tmp_path).mount == tmp_path


@pytest.mark.parametrize(
    ("url", "mounted", "sentence"),
    [
        ("/mnt/releases", False, "not to /mnt/releases"),
        ("pvc://claim/releases", False, "needs --mount"),
        ("s3://models/releases", True, "takes none"),
        ("s3://http://minio:9000/models/releases", False, "set AWS_ENDPOINT_URL"),
    ],
)
def test_what_does_not_fit_is_refused(url: str, mounted: bool, sentence: str, tmp_path: Path) -> None:  # noqa: FBT001
    with pytest.raises(UsageError, match=sentence):
        Storage.parse(url, tmp_path if mounted else None)


def test_the_volume_must_be_mounted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no folder"):
        Storage.parse("pvc://claim/releases", tmp_path / "none")
