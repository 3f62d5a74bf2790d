"""The passport of a network's file: what it is, what it was proven to answer, and where it may be loaded.

It lies beside the file, as `<file name>.passport.json`, because a TensorRT plan has no room for metadata.
Whoever loads the file compares the two first; a file without a passport is an ONNX network that was
registered before passports, or by hand. Nothing here needs torch: a rollout reads passports too.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from hilum.contract import PASSPORT_SUFFIX
from hilum.files import sha256_file, write_atomic
from training.config import Section
from training.errors import IntegrityError

Precision = Literal["fp32", "fp16", "int8"]
"""What the weighted layers compute in."""


class ValueParity(Section):
    """How far one output lies from the reference's."""

    output: str
    """Name of the output."""
    max_difference: float
    """Largest difference found, in the unit of `scale`."""
    allowed: float
    """Largest difference that the policy allows."""
    scale: Literal["absolute", "of_largest"]
    """`absolute`, or as a share of the reference's largest magnitude in this output."""


class Disagreement(Section):
    """One image that two files decide differently."""

    digest: str
    """Content digest of the image's file."""
    reference: str
    """What the reference decides."""
    found: str
    """What this file decides."""
    margin: float
    """How far the reference's nearest probability lies from its threshold: 0 is on it."""
    borderline: bool
    """Whether that is within the rounding that the policy allows, so that either decision is right."""


class DecisionParity(Section):
    """How often the decisions are the reference's, on images of the validation split."""

    images: int
    """Images asked."""
    agreed: int
    """Images decided alike."""
    rate: float
    """`agreed / images`."""
    lower: float
    """Lower bound of its 95 % interval (Wilson 1927)."""
    upper: float
    """Upper bound of its 95 % interval."""
    disagreements: tuple[Disagreement, ...]
    """Every image decided differently."""


class Calibration(Section):
    """The images that the ranges of an int8 network were measured on."""

    split: str
    """Split of the data set."""
    data_digest: str
    """Digest of the data set."""
    seed: int
    """Seed that chose the images."""
    method: str
    """How a range follows from the values seen."""
    digests: tuple[str, ...]
    """Content digest of each image's file, in the order in which they were shown."""


class Engine(Section):
    """Where a TensorRT plan was built, which is the only place where it loads."""

    tensorrt: str
    """Version of TensorRT."""
    compute_capability: str
    """Of the GPU, as `9.0`."""
    device: str
    """Name of the GPU."""
    image: str
    """Container that it was built in."""
    max_batch: int
    """Largest batch of its profile."""
    timing_cache_sha256: str
    """Of the timing cache that the build left."""
    source_sha256: str
    """Of the ONNX file that it was built from."""


class Passport(Section):
    """What is known of one network's file."""

    format: Literal[1] = 1
    """Raised when a field changes its meaning."""
    model: str
    """`xray_filter` or `xray_classifier`."""
    kind: Literal["onnx", "tensorrt"]
    """What the file is."""
    sha256: str
    """Of the file."""
    precision: Precision
    """What it was asked to compute in."""
    layers: Mapping[str, int]
    """What its layers compute in, as found in the file: number of weighted layers by precision."""
    opset: int
    """ONNX operator set of the graph; of a plan, of the graph that it was built from."""
    ir_version: int
    """ONNX format of the graph, likewise."""
    onnxruntime: str
    """Oldest ONNX Runtime that is sure to read the graph."""
    proven_with: str
    """What the parity below was measured with."""
    values: tuple[ValueParity, ...] = ()
    """Value parity with the reference, by output."""
    decisions: DecisionParity | None = None
    """Decision parity; None where decisions were compared one by one with the trained network's."""
    variant_of: int | None = None
    """Registry version that this one is a variant of; None where it was exported from a training run."""
    reference_sha256: str | None = None
    """Of the file that parity was measured against; None where that was the trained network."""
    calibration: Calibration | None = None
    """Of an int8 network."""
    engine: Engine | None = None
    """Of a TensorRT plan."""

    def to_json(self) -> bytes:
        """Return the content of the passport's file: one passport, one text."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=1).encode()

    def check_file(self, path: Path) -> None:
        """Refuse a file that is not the one this passport was written for.

        Raises:
            IntegrityError: its digest is another.
        """
        found = sha256_file(path)
        if found != self.sha256:
            raise IntegrityError(
                f"{path} is not the file that its passport was written for: its SHA-256 is {found}, the "
                f"passport says {self.sha256}. Put the two that belong together side by side, or export "
                "again."
            )


def passport_path(path: Path) -> Path:
    """Return where the passport of the file `path` lies."""
    return path.with_name(f"{path.name}{PASSPORT_SUFFIX}")


def write_passport(path: Path, passport: Passport) -> Path:
    """Write the passport of the file `path` beside it; return the passport's path."""
    target = passport_path(path)
    write_atomic(target, passport.to_json())
    return target


def read_passport(path: Path) -> Passport | None:
    """Return the passport of the file `path`; None where it has none.

    Raises:
        IntegrityError: what lies there is no passport of this format.
    """
    source = passport_path(path)
    if not source.is_file():
        return None
    return parse_passport(source.read_bytes(), str(source))


def parse_passport(content: bytes, origin: str) -> Passport:
    """Return the passport that `content` holds; `origin` names it in an error.

    Raises:
        IntegrityError: it is no passport of this format.
    """
    try:
        return Passport.model_validate_json(content)
    except ValidationError as error:
        raise IntegrityError(
            f"{origin} is no passport that this version of Hilum reads: {error.errors()[0]['msg']} "
            f"({'.'.join(map(str, error.errors()[0]['loc']))}). Export the network again."
        ) from error
