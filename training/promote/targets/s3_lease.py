"""Keeps two rollouts from writing one bucket at the same time.

An object says whose turn it is. It is created only where there is none and replaced only where it is
still the one that was read (conditional writes), so of two writers one wins. A rollout that was killed
leaves it behind: it counts for nothing once it is old, by the server's own clock, so that clocks of two
machines need not agree.
"""

import json

from training.errors import MirrorError
from training.promote.targets.s3_bucket import Bucket, Note

LEASE_OBJECT = ".rollout-lease"
"""Beside the models' folders; Triton looks into folders only."""

LEASE_S = 900.0
"""How long a lease counts since it was last renewed, in seconds: longer than one model takes to load."""


class Lease:
    """The right of one owner to write the bucket."""

    def __init__(self, bucket: Bucket, owner: str) -> None:
        """Name the owner; those who go by the same name may write at the same time."""
        self._bucket = bucket
        self._owner = owner

    def take(self) -> None:
        """Take the right to write, or renew it.

        Raises:
            MirrorError: another owner holds it; or the server ignores conditional writes.
        """
        content = json.dumps({"owner": self._owner, "for_s": LEASE_S}).encode()
        held = self._bucket.read_note(LEASE_OBJECT)
        if held is not None and held.age_s <= LEASE_S and self._owner_of(held) != self._owner:
            raise self._held_by(held)
        if not self._bucket.write_note(LEASE_OBJECT, content, instead_of=held):
            raise self._held_by(self._bucket.read_note(LEASE_OBJECT))
        written = self._bucket.read_note(LEASE_OBJECT)
        if written is None or self._owner_of(written) != self._owner:  # no conditions on this server
            raise self._held_by(written)

    def give_back(self) -> None:
        """Give the right back, where this owner holds it."""
        held = self._bucket.read_note(LEASE_OBJECT)
        if held is not None and self._owner_of(held) == self._owner:
            self._bucket.remove(LEASE_OBJECT)

    def _owner_of(self, note: Note) -> str:
        try:
            return str(json.loads(note.content)["owner"])
        except (ValueError, KeyError, TypeError):
            return "somebody else than Hilum"

    def _held_by(self, note: Note | None) -> MirrorError:
        who = self._owner_of(note) if note else "another rollout"
        left = f" at most {max(LEASE_S - note.age_s, 1):.0f} s" if note else ""
        return MirrorError(
            f"{who} is writing {self._bucket.address.url}. Wait{left} for it to end, then run this again. "
            f"If it was killed and you cannot wait, remove the object {LEASE_OBJECT} there."
        )
