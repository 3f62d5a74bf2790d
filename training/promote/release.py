"""A release: one filter and one classifier, pinned by digest, with what they promise to answer.

It is stored as `release.json`, the golden cases' images and `reference.json`, in a run of its own, and is a
version of the registered model `xray_screening`. Its digest covers all of it: the same networks on the
same data make the same release.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from hilum.contract import SCREENING
from hilum.files import sha256_bytes
from hilum.operating_point import OperatingPoint
from hilum.reference import REFERENCE_FILE
from training.config import Section
from training.errors import IntegrityError
from training.promote.golden import GoldenCase, read_files
from training.promote.verdict import VERDICT_TAG
from training.registry import RegisteredVersion, Registry
from training.repository.served_release import ServedRelease

RELEASE_FILE = "release.json"

DIGEST_TAG = "hilum.release_digest"
FILTER_VERSION_TAG = "hilum.filter_version"
CLASSIFIER_VERSION_TAG = "hilum.classifier_version"


class PinnedNetwork(Section):
    """One network of a release and where it comes from."""

    version: int
    """Registry version, and version folder in the model repository."""
    sha256: str
    """Of the ONNX file."""
    run_id: str
    """MLflow run that trained it."""
    recipe: str
    """Recipe that it was trained with."""
    data_digest: str
    """Digest of the data set that it was trained on."""
    git_revision: str
    """Revision of the code that trained it."""
    temperature: float | None = None
    """What its logits are divided by before the softmax; None in a release of format 1, which did not say."""


class Release(Section):
    """What `release.json` holds."""

    format: Literal[1, 2, 3] = 3
    """Raised when a field is added or changes meaning; 2 added the temperatures, 3 the reference sample."""
    filter: PinnedNetwork
    classifier: PinnedNetwork
    labels: tuple[str, ...]
    """The classifier's labels, in the order of its outputs."""
    thresholds: Mapping[str, float]
    """The operating point: threshold in (0, 1] by finding."""
    filter_threshold: float
    """The valid probability from which the filter's graph accepts an image."""
    decoder_digest: str
    """Digest of the code that makes canonical radiographs."""
    map_size: tuple[int, int]
    """Height and width of the activation map, in cells."""
    embedding_size: int
    """Length of the embedding."""
    golden_cases: tuple[GoldenCase, ...]
    """Inputs and promised outputs."""
    reference_sha256: str | None = None
    """SHA-256 of `reference.json`; None where the data set gave no sample, and before format 3."""

    @property
    def operating_point(self) -> OperatingPoint:
        """The decision rule of this release."""
        return OperatingPoint(self.thresholds)

    def to_json(self) -> bytes:
        """Return the content of `release.json`: one release, one text."""
        record = self.model_dump(mode="json")
        # As it was written then, or its digest would be another.
        if self.format < 3:
            del record["reference_sha256"]
        if self.format == 1:
            for network in (record["filter"], record["classifier"]):
                del network["temperature"]
        return json.dumps(record, sort_keys=True, indent=1).encode()

    @property
    def digest(self) -> str:
        """SHA-256 of `release.json`."""
        return sha256_bytes(self.to_json())

    def served(self, number: int) -> ServedRelease:
        """Return what the model repository has to know of this release under its number."""
        return ServedRelease(
            number=number,
            digest=self.digest,
            filter_version=self.filter.version,
            classifier_version=self.classifier.version,
            operating_point=self.operating_point,
            map_size=self.map_size,
            embedding_size=self.embedding_size,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredRelease:
    """A release as the registry holds it."""

    number: int
    """Release number: its version in the registry."""
    release: Release
    """What it pins."""
    golden_files: Mapping[str, bytes]
    """The golden cases' PNG files, by name."""
    reference: bytes | None = None
    """The content of `reference.json`; None where it has none."""

    @property
    def files(self) -> dict[str, bytes]:
        """All that is stored of it, by name."""
        reference = {} if self.reference is None else {REFERENCE_FILE: self.reference}
        return {RELEASE_FILE: self.release.to_json(), **self.golden_files, **reference}


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseSummary:
    """One line of the list of releases; None where the version was not registered by Hilum."""

    number: int
    """Release number."""
    aliases: tuple[str, ...]
    """Aliases that point to it."""
    filter_version: int | None
    """Registry version of its filter."""
    classifier_version: int | None
    """Registry version of its classifier."""
    digest: str | None
    """Its content digest."""
    verdict: str | None
    """Outcome of its newest gate; None where none judged it."""
    created_ms: int
    """When it was registered, in milliseconds since 1970."""


def list_releases(registry: Registry) -> list[ReleaseSummary]:
    """Return a line for each release, oldest first."""
    aliases = registry.aliases(SCREENING)
    return [
        ReleaseSummary(
            number=version.number,
            aliases=tuple(sorted(alias for alias, number in aliases.items() if number == version.number)),
            filter_version=_number(version, FILTER_VERSION_TAG),
            classifier_version=_number(version, CLASSIFIER_VERSION_TAG),
            digest=version.tags.get(DIGEST_TAG),
            verdict=version.tags.get(VERDICT_TAG),
            created_ms=version.created_ms,
        )
        for version in registry.versions(SCREENING)
    ]


def fetch_release(registry: Registry, number: int) -> StoredRelease:
    """Return a release from the registry, its digest and those of its other files checked.

    Raises:
        UnknownVersionError: there is no such release.
        IntegrityError: what is stored is not what was registered.
    """
    version = registry.version(SCREENING, number)
    with registry.release_files(version) as folder:
        content = (folder / RELEASE_FILE).read_bytes()
        if sha256_bytes(content) != version.tag(DIGEST_TAG):
            raise IntegrityError(
                f"{RELEASE_FILE} of release {number} is not the one that was registered. "
                "Someone changed the artifact store; create the release again."
            )
        try:
            release = Release.model_validate_json(content)
        except ValidationError as error:
            raise IntegrityError(
                f"{RELEASE_FILE} of release {number} cannot be read by this version of Hilum: {error}"
            ) from error
        return StoredRelease(
            number=number,
            release=release,
            golden_files=read_files(folder, release.golden_cases),
            reference=_read_reference(folder / REFERENCE_FILE, release),
        )


def _read_reference(path: Path, release: Release) -> bytes | None:
    """Return the reference sample of a release, checked against its pin; None where it has none."""
    if release.reference_sha256 is None:
        return None
    content = path.read_bytes() if path.is_file() else b""
    if sha256_bytes(content) != release.reference_sha256:
        raise IntegrityError(
            f"The {REFERENCE_FILE} of this release is missing or not the one that was pinned. "
            "Someone changed the artifact store; create the release again."
        )
    return content


def _number(version: RegisteredVersion, tag: str) -> int | None:
    return int(version.tags[tag]) if tag in version.tags else None
