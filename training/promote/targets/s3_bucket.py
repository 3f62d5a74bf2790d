"""Every call to an S3 server, each failure as a sentence.

Conditional writes (`If-None-Match`, `If-Match`) are what AWS S3, MinIO and Ceph offer against two
writers at once. What is written is checked by SHA-256 read back through this module. An entity tag can
prove that a content is the right one (`s3_etag`), never that it is a wrong one.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's name
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from hilum.errors import HilumError, ServiceUnreachableError, UsageError
from training.errors import MirrorError
from training.promote.targets.s3_address import S3Address
from training.promote.targets.s3_etag import PART_BYTES

CONNECT_TIMEOUT_S = 5
"""Longest wait for a connection, in seconds."""

READ_TIMEOUT_S = 60
"""Longest silence of the server, in seconds."""

ATTEMPTS = 3
"""How often a call is made that fails for a passing reason."""

BLOCK_BYTES = 1 << 20
"""Content is read back in blocks of this many bytes."""

SHA256_METADATA = "sha256"
"""Key of an object's metadata that holds the SHA-256 of its content."""

_REFUSED = {"403", "AccessDenied", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"}
_TAKEN = {"412", "409", "PreconditionFailed", "ConditionalRequestConflict"}
_ABSENT = {"404", "NoSuchKey", "NotFound"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Fingerprint:
    """What an object says of its content."""

    sha256: str
    """As its writer noted; empty where another than Hilum wrote it."""
    size: int
    """In bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A small object, read whole."""

    content: bytes
    etag: str
    """Names this very content in a conditional write."""
    age_s: float
    """Since it was written, in seconds, by the server's clock alone."""


class Bucket:
    """The objects below one address; names are relative to it."""

    def __init__(self, address: S3Address) -> None:
        """Prepare a client with the standard chain of credentials; nothing is sent yet."""
        self.address = address
        self._client = boto3.session.Session().client(
            "s3",
            endpoint_url=address.endpoint,
            config=Config(
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=READ_TIMEOUT_S,
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                # A server of one's own has no host name per bucket; AWS takes both forms.
                s3={"addressing_style": "path"},
                # Older servers refuse the newer checksums; what is written is read back anyway.
                request_checksum_calculation="when_required",
            ),
        )

    def names(self) -> set[str]:
        """Return the names of all objects."""
        return set(self.etags())

    def etags(self) -> dict[str, str]:
        """Return the entity tag of each object by its name."""
        found = {}
        with self._call("list"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.address.bucket, Prefix=self.address.prefix
            )
            for page in pages:
                for each in page.get("Contents", []):
                    found[each["Key"].removeprefix(self.address.prefix)] = each["ETag"]
        return found

    def fingerprint(self, name: str) -> Fingerprint | None:
        """Return what an object says of its content; None where there is none."""
        with self._call("look at", name):
            try:
                head = self._client.head_object(**self._place(name))
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise
        return Fingerprint(sha256=head["Metadata"].get(SHA256_METADATA, ""), size=head["ContentLength"])

    def upload(self, name: str, path: Path, sha256: str) -> None:
        """Write a file, in parts where it is large, with its SHA-256 beside it."""
        with self._call("write", name), path.open("rb") as stream:
            self._client.upload_fileobj(
                stream,
                **self._place(name),
                ExtraArgs={"Metadata": {SHA256_METADATA: sha256}},
                Config=TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES),
            )

    def content_digest(self, name: str) -> str | None:
        """Return the SHA-256 of an object's content, read in blocks; None where there is none."""
        digest = hashlib.sha256()
        with self._call("read", name):
            try:
                body = self._client.get_object(**self._place(name))["Body"]
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise
            for block in body.iter_chunks(BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest()

    def remove(self, name: str) -> None:
        """Remove an object; one that is gone is no error."""
        with self._call("remove", name):
            self._client.delete_object(**self._place(name))

    def read_note(self, name: str) -> Note | None:
        """Return a small object; None where there is none."""
        with self._call("read", name):
            try:
                answer = self._client.get_object(**self._place(name))
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise
            content = answer["Body"].read()
        sent = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        now = parsedate_to_datetime(sent) if sent else datetime.now(UTC)
        age = (now - answer["LastModified"]).total_seconds()
        return Note(content=content, etag=answer["ETag"], age_s=age)

    def write_note(self, name: str, content: bytes, *, instead_of: Note | None) -> bool:
        """Write a small object unless another writer was faster.

        Args:
            name: of the object.
            content: what it is to hold.
            instead_of: what is there now; None: nothing.

        Returns:
            Whether it was written; False where something else is there by now.
        """
        condition = {"IfMatch": instead_of.etag} if instead_of else {"IfNoneMatch": "*"}
        with self._call("write", name):
            try:
                self._client.put_object(**self._place(name), Body=content, **condition)
            except ClientError as error:
                if _code(error) in _TAKEN | _ABSENT:
                    return False
                raise
        return True

    def _place(self, name: str) -> dict[str, str]:
        return {"Bucket": self.address.bucket, "Key": self.address.prefix + name}

    @contextmanager
    def _call(self, verb: str, name: str = "") -> Iterator[None]:
        """Turn the failure of a call into a sentence that says which it was."""
        place = f"{self.address.url}/{name}" if name else self.address.url
        try:
            yield
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise UsageError(
                f"There are no credentials for {self.address.url}. Set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or give the machine or pod a role."
            ) from error
        except (ConnectionError, HTTPClientError) as error:
            raise ServiceUnreachableError(
                "S3",
                self._client.meta.endpoint_url,
                "Check the server, and AWS_ENDPOINT_URL or the address of the mirror.",
            ) from error
        except ClientError as error:
            raise self._refusal(verb, place, error) from error
        except BotoCoreError as error:
            raise MirrorError(f"Could not {verb} {place}: {error}") from error

    def _refusal(self, verb: str, place: str, error: ClientError) -> HilumError:
        code, reason = _code(error), error.response["Error"].get("Message", "no reason given")
        if code == "NoSuchBucket":
            return UsageError(
                f"There is no bucket {self.address.bucket!r} at {self._client.meta.endpoint_url}. Make it, "
                "or correct the address."
            )
        if code in _REFUSED:
            return MirrorError(
                f"The server refuses to {verb} {place} ({code}: {reason}). The credentials need the rights "
                "to list the bucket and to get, put and delete objects there."
            )
        return MirrorError(f"Could not {verb} {place} ({code}: {reason}).")


def _code(error: ClientError) -> str:
    code: Any = error.response.get("Error", {}).get("Code", "unknown")
    return str(code)
