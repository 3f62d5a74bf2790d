"""From a registered network to a registered variant of it: convert, compare, write the passport, register."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import onnx

from hilum.contract import FILTER
from hilum.errors import HilumError, UsageError
from hilum.files import write_atomic
from training.data.cache import RadiographCache
from training.data.metadata import DataSet
from training.export.onnx_passport import describe_onnx
from training.export.passport import Calibration, Passport
from training.export.precision import computes_in, count_layers
from training.export.registration import record_registration
from training.export.variant.agreement import (
    ask,
    check_policy,
    check_rows,
    compare_decisions,
    compare_values,
    onnx_answers,
)
from training.export.variant.half import to_fp16
from training.export.variant.int8 import METHOD, to_int8
from training.export.variant.policy import POLICIES
from training.export.variant.sample import ImageSample, draw_sample
from training.ledger.ledger import Ledger
from training.registry import PASSPORT_TAG, RUN_ID_TAG, SHA256_TAG, RegisteredVersion, Registry

VARIANT_OF_TAG = "hilum.variant_of"
"""Registry version that a variant was made of."""

PRECISION_TAG = "hilum.precision"
"""What a variant computes in."""

VariantPrecision = Literal["fp16", "int8"]

SEED = 0
"""Of the images that are drawn: the same data set gives the same variant."""

CALIBRATION_IMAGES = 64
"""Images of the training split that the ranges of int8 are measured on."""

COMPARED_IMAGES = 256
"""Images of the validation split whose decisions are compared, at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisteredVariant:
    """A variant in the registry, and what is known of it."""

    version: RegisteredVersion
    """Its registry version."""
    passport: Passport
    """Its passport, with both parities."""


def build_variant(
    registry: Registry,
    ledger: Ledger,
    data: DataSet,
    cache: RadiographCache,
    *,
    model: str,
    precision: VariantPrecision,
    number: int | None = None,
    who: str,
) -> RegisteredVariant:
    """Register a variant of a network in another precision, once it answers and decides as the original.

    Args:
        registry: holds the network and takes the variant.
        ledger: records that `who` registered it.
        data: its training split calibrates int8; decisions are compared on its validation split.
        cache: of decoded radiographs.
        model: `xray_filter` or `xray_classifier`.
        precision: of the variant.
        number: registry version of the original; None for the newest that is no variant itself.
        who: who asks for it.

    Raises:
        UnknownVersionError: there is no such version.
        UsageError: the version is a variant itself.
        ParityError: the variant answers or decides otherwise than the policy allows; nothing is registered.
        HilumError: the network has too few layers that could compute in this precision.
    """
    original = find_original(registry, model, number)
    compared = draw_sample(data, cache, model, "val", count=COMPARED_IMAGES, seed=SEED)
    calibrating = None
    if precision == "int8":
        calibrating = draw_sample(data, cache, model, "train", count=CALIBRATION_IMAGES, seed=SEED)
    with TemporaryDirectory(prefix="hilum-variant-") as temporary:
        folder = Path(temporary)
        reference = registry.download_onnx(original, folder)
        network = onnx.load(reference)
        variant = to_fp16(network) if calibrating is None else to_int8(network, calibrating.radiographs)
        layers = count_layers(variant)
        if not computes_in(layers, precision):
            found = ", ".join(f"{count} {name}" for name, count in layers.items()) or "none with weights"
            raise HilumError(
                f"Too few layers of {model} version {original.number} could be written in {precision}: its "
                f"layers are {found}. Nothing was registered."
            )
        path = folder / "model.onnx"
        write_atomic(path, variant.SerializeToString())
        passport = _prove(original, reference, path, compared, precision)
        if calibrating is not None:
            passport = passport.model_copy(update={"calibration": _calibration(calibrating, data)})
        version = _register(registry, original, path, passport, compared)
    record_registration(ledger, version, who=who)
    return RegisteredVariant(version=version, passport=passport)


def find_original(registry: Registry, model: str, number: int | None) -> RegisteredVersion:
    """Return a version that was exported from a training run, by default the newest.

    Raises:
        UnknownVersionError: there is none.
        UsageError: the version that was asked for is a variant.
    """
    if number is None:
        originals = [v for v in registry.versions(model) if VARIANT_OF_TAG not in v.tags]
        return originals[-1] if originals else registry.version(model)
    version = registry.version(model, number)
    if VARIANT_OF_TAG in version.tags:
        raise UsageError(
            f"{model} version {number} is itself the {version.tags[PRECISION_TAG]} variant of version "
            f"{version.tags[VARIANT_OF_TAG]}. Give that one: rounding twice adds up."
        )
    return version


def _prove(
    original: RegisteredVersion,
    reference: Path,
    path: Path,
    sample: ImageSample,
    precision: VariantPrecision,
) -> Passport:
    """Return the passport of a variant, once it has kept to the policy."""
    policy, answer = POLICIES[precision], onnx_answers(path)
    if original.name != FILTER:
        check_rows(answer, sample)
    expected, found = ask(onnx_answers(reference), sample), ask(answer, sample)
    values = compare_values(expected, found, policy)
    decisions = compare_decisions(original.name, original.tags, expected, found, sample.digests, policy)
    check_policy(
        f"The {precision} variant of {original.name} version {original.number}", values, decisions, policy
    )
    passport = describe_onnx(path, original.name, precision, values=values, decisions=decisions)
    return passport.model_copy(
        update={"variant_of": original.number, "reference_sha256": original.tag(SHA256_TAG)}
    )


def _calibration(sample: ImageSample, data: DataSet) -> Calibration:
    return Calibration(
        split=sample.split, data_digest=data.digest(), seed=SEED, method=METHOD, digests=sample.digests
    )


def _register(
    registry: Registry, original: RegisteredVersion, path: Path, passport: Passport, sample: ImageSample
) -> RegisteredVersion:
    """Register a variant under the original's run and lineage: whatever holds of that one holds of it."""
    inherited = {
        key: value
        for key, value in original.tags.items()
        if key.startswith("hilum.") and key not in (SHA256_TAG, PASSPORT_TAG)
    }
    inputs = {"radiograph": sample.radiographs[:1]}
    if original.name != FILTER:
        inputs["accepted"] = np.ones((1, 1), dtype=np.bool_)
    return registry.register_onnx(
        original.name,
        path,
        run_id=original.tag(RUN_ID_TAG),
        tags=inherited | {VARIANT_OF_TAG: str(original.number), PRECISION_TAG: passport.precision},
        input_example=inputs,
        passport=passport.to_json(),
    )
