"""Writes the model repository of one release to where KServe's pods fetch it, under its own name.

A pod reads its repository once, when it starts, so releases lie side by side: `STORAGE/release-7`. A bucket
gets it as a mirror does; a volume (PVC) is written through the folder where it is mounted here.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from hilum.errors import UsageError
from hilum.files import fsync_folder, sha256_bytes, sha256_file, write_atomic
from training.errors import MirrorError
from training.promote.staging import fetch_networks, stage
from training.promote.targets.mirror import mirror_of
from training.promote.targets.order import repository_files
from training.promote.targets.s3_address import S3Address
from training.promote.targets.traffic_steps import release_uri
from training.promote.wanted import Wanted
from training.registry import Registry


@dataclass(frozen=True, kw_only=True, slots=True)
class Storage:
    """Where releases are published."""

    url: str
    """What KServe is told: `s3://bucket/prefix` or `pvc://claim/folder`."""
    mount: Path | None
    """Where the folder that a `pvc://` address names is mounted here; None for a bucket."""

    @classmethod
    def parse(cls, url: str, mount: Path | None) -> Self:
        """Check that an address and a mount fit together.

        Raises:
            UsageError: they do not.
        """
        is_volume = url.startswith("pvc://")
        if not is_volume and not url.startswith("s3://"):
            raise UsageError(
                f"Releases are published to s3://BUCKET/PREFIX or pvc://CLAIM/FOLDER, not to {url}."
            )
        if is_volume != (mount is not None):
            raise UsageError(
                "A pvc:// address needs --mount with the folder where it is mounted here; an s3:// one takes "
                "none."
            )
        if mount is not None and not mount.is_dir():
            raise UsageError(f"There is no folder {mount}: mount the volume there.")
        if not is_volume and S3Address.parse(url).endpoint is not None:
            raise UsageError(
                "KServe's pods know the server from their own secret: name the storage s3://BUCKET/PREFIX "
                "and set AWS_ENDPOINT_URL for this command."
            )
        return cls(url=url.rstrip("/"), mount=mount)

    def publish(self, release: int, draft: Path) -> None:
        """Put the model repository of a release in place; what is there already is not written again.

        The right to write a bucket belongs to the content: who was killed does not keep out who publishes the
        same again, and two who do so at once write the same.

        Args:
            release: its number.
            draft: its model repository.

        Raises:
            MirrorError: another repository is there under this number, or the bucket refuses.
        """
        if self.mount is not None:
            _publish_folder(self.mount / f"release-{release}", draft)
            return
        mirror = mirror_of(release_uri(self.url, release), f"whoever publishes {_content(draft)}")
        assert mirror is not None
        if conflicts := mirror.conflicts(draft):
            raise _occupied(f"{mirror.address} (at {conflicts[0]})")
        mirror.push(draft)
        mirror.prune(draft)


def publish(registry: Registry, wanted: Wanted, storage: Storage, *, instances: int) -> None:
    """Publish each release that is wanted, as a model repository that serves it alone.

    Raises:
        IntegrityError: something fetched is not what was pinned.
        RepositoryError: Triton could not serve a release.
        MirrorError: as `Storage.publish`.
    """
    for stored in wanted.by_role.values():
        alone = Wanted(by_role={"champion": stored})
        with TemporaryDirectory(prefix="hilum-release-") as temporary:
            folder = Path(temporary)
            networks = fetch_networks(registry, folder / "live", alone, folder)
            storage.publish(stored.number, stage(folder, alone, networks, instances=instances))


def _publish_folder(place: Path, draft: Path) -> None:
    """Copy a repository to a volume, so that it appears there whole."""
    if place.exists():
        if _digests(place) != _digests(draft):
            raise _occupied(str(place))
        return
    with TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.") as temporary:
        copy = Path(temporary) / place.name
        for name in repository_files(draft):
            write_atomic(copy / name, (draft / name).read_bytes())
        copy.replace(place)
    fsync_folder(place.parent)


def _occupied(place: str) -> MirrorError:
    return MirrorError(
        f"{place} holds another model repository than this release has now. Pods may be reading it: "
        "move it away when none does, then run this again."
    )


def _content(folder: Path) -> str:
    """Return a digest of all files of a repository."""
    return sha256_bytes(json.dumps(_digests(folder), sort_keys=True).encode())


def _digests(folder: Path) -> dict[str, str]:
    return {name: sha256_file(folder / name) for name in repository_files(folder)}
