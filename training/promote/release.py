"""A release: one filter and one classifier, pinned by digest, with what they promise to answer.

It is stored as `release.json` and the golden cases' images, in a run of its own, and is a version
of the registered model `xray_screening`. Its digest covers all of it: the same networks on the same
data make the same release.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from pydantic import ValidationError

from hilum.contract import CLASSIFIER, FILTER, LABELS, SCREENING
from hilum.errors import UsageError
from hilum.files import sha256_bytes
from hilum.operating_point import OperatingPoint
from hilum.radiograph import DECODER_DIGEST
from training.config import Section
from training.errors import IntegrityError
from training.evaluate.decisions import OPERATING_POINT_TAG, THRESHOLD_TAG, temperature_of
from training.ledger.ledger import Ledger
from training.promote.golden import GoldenCase, answer, read_files, select_radiographs
from training.promote.verdict import VERDICT_TAG
from training.registry import (
    EMBEDDING_SIZE_TAG,
    MAP_SIZE_TAG,
    PARITY_TAG,
    RUN_ID_TAG,
    SHA256_TAG,
    RegisteredVersion,
    Registry,
)
from training.repository.served_release import ServedRelease
from training.tracking import DATA_DIGEST_TAG, DECODER_DIGEST_TAG, GIT_REVISION_TAG, RECIPE_TAG

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

    format: Literal[1, 2] = 2
    """Raised when a field is added or changes its meaning; 2 added the temperatures."""
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

    @property
    def operating_point(self) -> OperatingPoint:
        """The decision rule of this release."""
        return OperatingPoint(self.thresholds)

    def to_json(self) -> bytes:
        """Return the content of `release.json`: one release, one text."""
        record = self.model_dump(mode="json")
        if self.format == 1:  # as it was written then, or its digest would be another
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


def create_release(
    registry: Registry,
    ledger: Ledger,
    data: Path,
    *,
    who: str,
    filter_version: int | None = None,
    classifier_version: int | None = None,
) -> tuple[int, Release, bool]:
    """Pin a filter and a classifier, by default the newest, into a release.

    Args:
        registry: holds both networks and takes the release.
        ledger: records it.
        data: data set whose test split gives the golden cases.
        who: creates it.
        filter_version: registry version of the filter.
        classifier_version: registry version of the classifier.

    Returns:
        The release's number, the release, and whether it is new: the same release is stored once.

    Raises:
        UnknownVersionError: a version does not exist or was not registered by Hilum.
        UsageError: the networks were made for another decoder than this installation's.
        IntegrityError: a network is not the one that was registered.
        DataSetError: the data set cannot give golden cases.
    """
    networks = [registry.version(FILTER, filter_version), registry.version(CLASSIFIER, classifier_version)]
    for network in networks:
        _check_network(network)
    screen_filter, classifier = networks
    with TemporaryDirectory(prefix="hilum-release-") as folder:
        cases, files = answer(
            select_radiographs(data),
            filter_onnx=registry.download_onnx(screen_filter, Path(folder)),
            classifier_onnx=registry.download_onnx(classifier, Path(folder)),
        )
    height, width = classifier.tag(MAP_SIZE_TAG).split("x")
    release = Release(
        filter=_pin(screen_filter),
        classifier=_pin(classifier),
        labels=LABELS,
        thresholds=json.loads(classifier.tag(OPERATING_POINT_TAG)),
        filter_threshold=float(screen_filter.tag(THRESHOLD_TAG)),
        decoder_digest=DECODER_DIGEST,
        map_size=(int(height), int(width)),
        embedding_size=int(classifier.tag(EMBEDDING_SIZE_TAG)),
        golden_cases=tuple(cases),
    )
    for existing in registry.versions(SCREENING):
        if existing.tags.get(DIGEST_TAG) == release.digest:
            _record(ledger, existing.number, release, who)
            return existing.number, release, False
    stored = registry.create_release(
        {RELEASE_FILE: release.to_json(), **files},
        {
            DIGEST_TAG: release.digest,
            FILTER_VERSION_TAG: str(screen_filter.number),
            CLASSIFIER_VERSION_TAG: str(classifier.number),
        },
    )
    _record(ledger, stored.number, release, who)
    return stored.number, release, True


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
    """Return a release from the registry, its digest and those of its golden cases checked.

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
            number=number, release=release, golden_files=read_files(folder, release.golden_cases)
        )


def _record(ledger: Ledger, number: int, release: Release, who: str) -> None:
    """Record a release, unless the ledger has it: a creation that was cut short is recorded by the next."""
    if any(
        entry.kind == "released" and entry.facts.get("digest") == release.digest for entry in ledger.entries()
    ):
        return
    facts = {
        "release": number,
        "digest": release.digest,
        "filter": release.filter.version,
        "classifier": release.classifier.version,
    }
    ledger.append("released", who=who, facts=facts)


def _check_network(network: RegisteredVersion) -> None:
    """Raise where a network may not serve: unproven, or trained on what another decoder made."""
    if network.tag(PARITY_TAG) != "passed":
        raise UsageError(
            f"{network.name} version {network.number} has no proof that ONNX Runtime answers as PyTorch does "
            f"({PARITY_TAG} is {network.tag(PARITY_TAG)!r}). Export it again with `hilum export`."
        )
    if network.tag(DECODER_DIGEST_TAG) != DECODER_DIGEST:
        raise UsageError(
            f"{network.name} version {network.number} was made for another decoder "
            f"({network.tag(DECODER_DIGEST_TAG)[:12]}) than this installation's ({DECODER_DIGEST[:12]}): "
            "it would see other pixels than it learnt from. Train and export it again."
        )


def _pin(network: RegisteredVersion) -> PinnedNetwork:
    return PinnedNetwork(
        version=network.number,
        sha256=network.tag(SHA256_TAG),
        run_id=network.tag(RUN_ID_TAG),
        recipe=network.tag(RECIPE_TAG),
        data_digest=network.tag(DATA_DIGEST_TAG),
        git_revision=network.tag(GIT_REVISION_TAG),
        temperature=temperature_of(network.tags),
    )


def _number(version: RegisteredVersion, tag: str) -> int | None:
    return int(version.tags[tag]) if tag in version.tags else None
