"""Gets a network from the registry, if it is the one that a release pins."""

from pathlib import Path

from training.errors import IntegrityError
from training.registry import SHA256_TAG, Registry


def download_pinned(registry: Registry, model: str, number: int, sha256: str, folder: Path) -> Path:
    """Download a network into `folder` and return the file's path; its passport, if any, lies beside it.

    Args:
        registry: holds it.
        model: `xray_filter` or `xray_classifier`.
        number: its registry version.
        sha256: of the network that is pinned.
        folder: takes it.

    Raises:
        UnknownVersionError: there is no such version.
        IntegrityError: the registry holds another network under this number, or an altered one.
    """
    version = registry.version(model, number)
    if version.tag(SHA256_TAG) != sha256:
        raise IntegrityError(
            f"{model} version {number} in the registry is not the network that the release pins "
            f"({version.tag(SHA256_TAG)[:12]} instead of {sha256[:12]}). Nothing was touched; "
            "create a release of the networks that are there."
        )
    return registry.download_onnx(version, folder)
