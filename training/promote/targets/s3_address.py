"""Addresses of S3 buckets, in the forms that Triton takes."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from hilum.errors import UsageError

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"([\w.-]+(/[\w.-]+)*)?", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Address:
    """A place in a bucket."""

    url: str
    """As given, without a slash at its end."""
    endpoint: str | None
    """`http://host:port` of the server; None: what AWS's own settings say."""
    bucket: str
    """Name of the bucket."""
    prefix: str
    """What the keys below this place begin with: empty, or with a slash at its end."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `s3://bucket/prefix` or `s3://http://host:9000/bucket/prefix`.

        Raises:
            UsageError: it is neither.
        """
        url = url.rstrip("/")
        scheme, _, rest = url.partition("://")
        endpoint = None
        if rest.startswith(("http://", "https://")):
            parts = urlsplit(rest)
            endpoint, rest = f"{parts.scheme}://{parts.netloc}", parts.path.removeprefix("/")
        bucket, _, prefix = rest.partition("/")
        if (
            scheme != "s3"
            or not _BUCKET.fullmatch(bucket)
            or not _PREFIX.fullmatch(prefix)
            or "@" in (endpoint or "")
        ):
            # The address itself is not repeated: it may hold a password.
            raise UsageError(
                "An address in S3 must be s3://BUCKET/PREFIX, or s3://http://HOST:PORT/BUCKET/PREFIX for a "
                "server of your own, with letters, digits, '.', '_' and '-' in the prefix. It holds no "
                "credentials: boto3 finds them in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in ~/.aws, "
                "or in the pod's role."
            )
        return cls(url=url, endpoint=endpoint, bucket=bucket, prefix=f"{prefix}/" if prefix else "")
