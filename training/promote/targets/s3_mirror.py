"""Keeps a copy of the live model repository in a bucket, from which Triton reads.

Triton's own address of it (`tritonserver --model-repository=s3://…`) is `S3Mirror.address`. A push that is
cut short leaves configurations that name only what is there; the next push does the rest.
"""

import socket
from pathlib import Path

from hilum.files import sha256_file
from training.errors import MirrorError
from training.promote.site import Belief
from training.promote.targets.order import is_served, removal_order, repository_files
from training.promote.targets.s3_bucket import Bucket, Fingerprint
from training.promote.targets.s3_etag import fits
from training.promote.targets.s3_lease import Lease


class S3Mirror:
    """The copy in one bucket."""

    def __init__(self, bucket: Bucket, owner: str = "") -> None:
        """Prepare; nothing is sent yet.

        Args:
            bucket: where the copy lies.
            owner: who has the right to write while it is held; empty for the live folder, whose processes
                are kept apart by its own lock.
        """
        self._bucket = bucket
        self._owner = owner
        self.address = bucket.address.url
        """What Triton is told to read."""
        self._corrupt: set[str] = set()

    def push(self, folder: Path) -> None:
        """Copy what is new or differs: version folders before the configurations that name them.

        Whether an object differs is read off its size and the SHA-256 that Hilum left in its metadata; what
        is written is read back. What `differences` found corrupt is written again. The right to write stays
        with this folder until `prune`, or for 15 minutes.

        Raises:
            MirrorError: another rollout is writing, the server refuses, or what came back is not what was
                sent.
            ServiceUnreachableError: the server does not answer.
            UsageError: there is no such bucket, or there are no credentials.
        """
        there = self._bucket.names()
        wanted = {name: _fingerprint(folder / name) for name in repository_files(folder)}
        stale = [
            name
            for name, fingerprint in wanted.items()
            if name in self._corrupt or name not in there or self._bucket.fingerprint(name) != fingerprint
        ]
        if not stale:
            return
        self._lease(folder).take()
        for name in stale:
            self._bucket.upload(name, folder / name, wanted[name].sha256)
            arrived = self._bucket.content_digest(name)
            if arrived != wanted[name].sha256:
                self._bucket.remove(name)  # its metadata would make the next push pass over it
                raise MirrorError(
                    f"{self.address}/{name} came back with SHA-256 {_short(arrived)} instead of "
                    f"{_short(wanted[name].sha256)} right after it was written, and was removed. Nothing "
                    "that names it was written; check the server, then run this again."
                )
            self._corrupt.discard(name)

    def prune(self, folder: Path) -> None:
        """Remove what the folder no longer has, configurations first; give the right to write back.

        Only files of models that Hilum serves are removed: whatever else lies there is somebody else's.

        Raises: as `push`.
        """
        lease = self._lease(folder)
        gone = {name for name in self._bucket.names() if is_served(name)} - set(repository_files(folder))
        if gone:
            lease.take()
            for name in removal_order(gone):
                self._bucket.remove(name)
        lease.give_back()

    def differences(self, folder: Path, *, believe: Belief) -> list[str]:
        """Return a sentence for everything in which the copy is not the folder.

        Args:
            folder: the live model repository.
            believe: what is not checked; where notes are believed, what an earlier reading found corrupt and
                no push has written again still counts as that.

        Raises: as `push`.
        """
        there = {name: etag for name, etag in self._bucket.etags().items() if is_served(name)}
        wanted = repository_files(folder)
        if believe != "notes":
            self._corrupt.clear()
        found = [f"{self.address}/{name} is missing." for name in wanted if name not in there]
        found += [
            f"{self.address}/{name} is not part of what is served."
            for name in sorted(set(there) - set(wanted))
        ]
        look = self._noted_difference if believe == "notes" else self._corruption
        for name in wanted:
            if name not in there or (believe == "etags" and fits(there[name], folder / name)):
                continue
            if sentence := look(folder, name):
                found.append(sentence)
        return found

    def conflicts(self, folder: Path) -> list[str]:
        """Return the names of objects that the folder lacks or has with other content.

        What is missing in the bucket is none: a push that was cut short leaves that.

        Raises: as `push`.
        """
        wanted = {name: _fingerprint(folder / name) for name in repository_files(folder)}
        return [
            name
            for name in sorted(self._bucket.names())
            if is_served(name) and (name not in wanted or not self._holds(name, wanted[name]))
        ]

    def _lease(self, folder: Path) -> Lease:
        return Lease(self._bucket, self._owner or f"{socket.gethostname()}:{folder.absolute()}")

    def _holds(self, name: str, fingerprint: Fingerprint) -> bool:
        """Whether an object has this content, which is read where its metadata does not say so."""
        return (
            self._bucket.fingerprint(name) == fingerprint
            or self._bucket.content_digest(name) == fingerprint.sha256
        )

    def _noted_difference(self, folder: Path, name: str) -> str:
        """Return what an object's metadata says is wrong with its content; empty where nothing is."""
        if name in self._corrupt:
            return f"{self.address}/{name} is corrupt, as was found when it was read."
        expected, noted = _fingerprint(folder / name), self._bucket.fingerprint(name)
        if noted == expected:
            return ""
        return (
            f"{self.address}/{name} is noted with SHA-256 {_short(noted.sha256 if noted else None)} instead "
            f"of {_short(expected.sha256)}, or has another size."
        )

    def _corruption(self, folder: Path, name: str) -> str:
        """Return what is wrong with an object's content; empty where nothing is."""
        expected = sha256_file(folder / name)
        found = self._bucket.content_digest(name)
        if found == expected:
            return ""
        noted = self._bucket.fingerprint(name)
        if noted and noted.sha256 == expected:
            self._corrupt.add(name)
            return (
                f"{self.address}/{name} is corrupt: its content has SHA-256 {_short(found)} instead of the "
                f"{_short(expected)} that was written."
            )
        return f"{self.address}/{name} has SHA-256 {_short(found)} instead of {_short(expected)}."


def _fingerprint(path: Path) -> Fingerprint:
    return Fingerprint(sha256=sha256_file(path), size=path.stat().st_size)


def _short(digest: str | None) -> str:
    return f"{digest[:12]}…" if digest else "nothing"
