"""Makes a release of two registered networks on a data set, and records it."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from hilum.contract import CLASSIFIER, FILTER, LABELS, SCREENING
from hilum.errors import UsageError
from hilum.files import sha256_bytes
from hilum.radiograph import DECODER_DIGEST
from hilum.reference import REFERENCE_FILE
from training.evaluate.decisions import OPERATING_POINT_TAG, THRESHOLD_TAG, temperature_of
from training.export.registration import record_registration
from training.ledger.ledger import Ledger
from training.promote.golden import answer, select_radiographs
from training.promote.reference import build_reference
from training.promote.release import (
    CLASSIFIER_VERSION_TAG,
    DIGEST_TAG,
    FILTER_VERSION_TAG,
    RELEASE_FILE,
    PinnedNetwork,
    Release,
)
from training.registry import (
    EMBEDDING_SIZE_TAG,
    MAP_SIZE_TAG,
    PARITY_TAG,
    RUN_ID_TAG,
    SHA256_TAG,
    RegisteredVersion,
    Registry,
)
from training.tracking import DATA_DIGEST_TAG, DECODER_DIGEST_TAG, GIT_REVISION_TAG, RECIPE_TAG


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
        data: data set whose test split gives the golden cases, and whose validation split the reference
            sample.
        who: creates it.
        filter_version: registry version of the filter.
        classifier_version: registry version of the classifier.

    Returns:
        The release's number, the release, and whether it is new: the same release is stored once.

    Raises:
        UnknownVersionError: a version does not exist or was not registered by Hilum.
        UsageError: the networks were made for another decoder than this installation's.
        IntegrityError: a network is not the one that was registered.
        DataSetError: the data set cannot give golden cases, or an image cannot be decoded.
    """
    networks = [registry.version(FILTER, filter_version), registry.version(CLASSIFIER, classifier_version)]
    for network in networks:
        _check_network(network)
        record_registration(
            ledger, network, who=who, why="Recorded with a release: the ledger had no entry of it."
        )
    screen_filter, classifier = networks
    with TemporaryDirectory(prefix="hilum-release-") as folder:
        filter_onnx = registry.download_onnx(screen_filter, Path(folder))
        classifier_onnx = registry.download_onnx(classifier, Path(folder))
        cases, files = answer(
            select_radiographs(data), filter_onnx=filter_onnx, classifier_onnx=classifier_onnx
        )
        sample = build_reference(data, filter_onnx=filter_onnx, classifier_onnx=classifier_onnx)
    reference = None if sample is None else sample.to_json()
    if reference is not None:
        files[REFERENCE_FILE] = reference
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
        reference_sha256=None if reference is None else sha256_bytes(reference),
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
