"""Where a rollout acts: the registry that says what is to serve, the repository and the Triton that do."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from training.ledger.ledger import Ledger
    from training.promote.triton_control import TritonControl
    from training.registry import Registry


Belief = Literal["notes", "etags", "nothing"]
"""What is believed of a mirror: the digests that were noted with it; or the tags that its server computed of
what it received, so that only what they do not prove is read; or nothing, so that all of it is read."""


class Mirror(Protocol):
    """A copy of the live model repository elsewhere, on S3 say, from which Triton reads."""

    @property
    def address(self) -> str:
        """Where the copy is, as Triton names it."""

    def push(self, folder: Path) -> None:
        """Copy what is new or changed, version folders before the configurations that name them."""

    def prune(self, folder: Path) -> None:
        """Remove there what the folder no longer has."""

    def differences(self, folder: Path, *, believe: Belief) -> list[str]:
        """Return how the copy differs from the folder, each as a sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """One Triton, what it reads, and what decides over it."""

    registry: "Registry"
    """Holds the releases and the aliases that say which of them serve."""
    ledger: "Ledger"
    """Records each rollout."""
    repository: Path
    """The live model repository."""
    triton: "TritonControl"
    """The server that reads it, or its mirror; it may be down."""
    instances: int
    """Copies of each network that run side by side."""
    who: str
    """Who rolls out, as the ledger records it."""
    why: str = ""
    """The reason that was given, as the ledger records it; none where the aliases decide."""
    overrode: str | None = None
    """What the gate has against what is rolled out by force; None where it has nothing, or is not asked."""
    mirror: Mirror | None = None
    """The copy from which Triton reads; None where it reads the repository itself."""

    @property
    def target(self) -> str:
        """What Triton reads, as the ledger names it."""
        return self.mirror.address if self.mirror else str(self.repository.absolute())
