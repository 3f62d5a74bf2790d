"""Which Triton an MLflow deployment target means, and the site that belongs to it."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hilum.errors import UsageError
from hilum.settings import settings
from training.promote.deployment.deploying import Permission
from training.promote.installation import open_site as open_installation
from training.promote.site import Site

TARGET_URI = re.compile(r"triton(?::/{0,2}|://(?P<address>[^/\s]+:[0-9]+)/?)?")
"""`triton` alone is the Triton of this installation."""

KEYS = ("repository", "force", "reason")
"""What `-C NAME=VALUE` may set."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What was given as `-C NAME=VALUE`."""

    repository: Path | None = None
    """The model repository that the Triton reads; None for the live one of this installation."""
    permission: Permission
    """Leave to go round the gate."""

    @classmethod
    def read(cls, config: Mapping[str, Any] | None) -> "Options":
        """Check and return the options.

        Raises:
            UsageError: one is unknown, or has a wrong value.
        """
        given = {str(name): value for name, value in (config or {}).items()}
        unknown = sorted(set(given) - set(KEYS))
        if unknown:
            raise UsageError(f"-C {unknown[0]}=… is not known here; there are {', '.join(KEYS)}.")
        force = str(given.get("force", False)).lower()
        if force not in ("true", "false"):
            raise UsageError(f"-C force=… must be true or false, got {given['force']}.")
        repository = Path(given["repository"]) if "repository" in given else None
        if repository is not None and not repository.is_dir():
            raise UsageError(
                f"There is no folder {repository}: -C repository=… names the model repository that the "
                "Triton reads."
            )
        permission = Permission(force=force == "true", reason=str(given.get("reason", "")))
        return cls(repository=repository, permission=permission)


def read_address(target: str) -> str:
    """Return `host:port` of the Triton that a target URI names.

    Raises:
        UsageError: it is none.
    """
    match = TARGET_URI.fullmatch(target)
    if match is None:
        raise UsageError(f"The target must be triton or triton://HOST:PORT (its gRPC port), got {target}.")
    return match["address"] or settings().triton_address


@contextmanager
def open_site(address: str, options: Options, tracking_uri: str) -> Iterator[Site]:
    """Yield the site of a Triton that answers.

    Args:
        address: `host:port` of its gRPC service.
        options: which repository it reads, and why something is done there.
        tracking_uri: the MLflow server that holds the releases.

    Raises:
        UsageError: it is another Triton than this installation's, and the repository that it reads is not
        given. ServiceUnreachableError: MLflow does not answer.
    """
    here = settings()
    if options.repository is None and address != here.triton_address:
        raise UsageError(
            f"Triton at {address} is not the one of this installation ({here.triton_address}), so the folder "
            "that it reads is not known: give -C repository=DIR."
        )
    there: dict[str, object] = {"triton_url": address, "mlflow_uri": tracking_uri}
    if options.repository is not None:
        there["repository_mirror"] = ""  # the mirror is a copy of this installation's repository
    with open_installation(here.model_copy(update=there)) as site:
        repository = options.repository or site.repository
        yield replace(site, repository=repository, why=options.permission.reason)
