"""Addresses in the forms that Triton takes, and nothing else."""

import pytest

from hilum.errors import UsageError
from training.promote.targets.mirror import mirror_of
from training.promote.targets.s3_address import S3Address


@pytest.mark.parametrize(
    ("url", "endpoint", "bucket", "prefix"),
    [
        ("s3://models", None, "models", ""),
        ("s3://models/live/", None, "models", "live/"),
        ("s3://models/a/b-c_d.e", None, "models", "a/b-c_d.e/"),
        ("s3://http://127.0.0.1:9000/models/live", "http://127.0.0.1:9000", "models", "live/"),
        ("s3://https://minio.example.com/models", "https://minio.example.com", "models", ""),
    ],
)
def test_addresses_are_read(url: str, endpoint: str | None, bucket: str, prefix: str) -> None:
    address = S3Address.parse(url)
    assert (address.endpoint, address.bucket, address.prefix) == (endpoint, bucket, prefix)
    assert address.url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "models/live",
        "gs://models/live",
        "s3://",
        "s3://Models/live",
        "s3://models//live",
        "s3://models/li ve",
        "s3://minio:9000/models",
        "s3://http://127.0.0.1:9000",
        "s3://http://user:secret@127.0.0.1:9000/models",
    ],
)
def test_others_are_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(UsageError, match="s3://BUCKET/PREFIX") as caught:
        S3Address.parse(url)
    assert "secret" not in str(caught.value)


def test_no_address_means_no_mirror() -> None:
    assert mirror_of("") is None
