"""Golden cases: a few radiographs whose answers a release promises, to be asked again when it serves."""

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from hilum.contract import LABELS, RADIOGRAPH_SIZE_PX
from hilum.files import sha256_bytes
from hilum.operating_point import OperatingPoint
from hilum.radiograph import RadiographError, decode_radiograph
from training.config import Section
from training.data.metadata import load_metadata
from training.errors import DataSetError, IntegrityError
from training.promote.network_pair import NetworkPair

if TYPE_CHECKING:
    import pandas as pd

NON_VALID_CASES = 3
"""Golden cases that are no radiographs; one more for each label is."""

TOLERANCE = 2e-3
"""Largest difference from a promised probability: rounding differs between processors, decisions must not."""

_DECIMALS = 6


class GoldenCase(Section):
    """One radiograph and what both networks of a release answer to it."""

    file: str
    """PNG file below the release's folder: the canonical radiograph."""
    sha256: str
    """Of that file."""
    valid_probability: float
    """The filter's answer, in [0, 1]."""
    accepted: bool
    """Whether the filter let it pass."""
    probabilities: tuple[float, ...] | None
    """The classifier's answer in the order of `LABELS`, each in [0, 1]; None where it was rejected."""

    def disagreement(
        self,
        valid_probability: float,
        probabilities: Sequence[float],
        *,
        accepted: bool,
        operating_point: OperatingPoint,
    ) -> str | None:
        """Return how an answer breaks the promise, as a sentence; None where it keeps it.

        Args:
            valid_probability: served by the filter.
            probabilities: (3,) served by the classifier, NaN where rejected.
            accepted: served by the filter.
            operating_point: turns both the promised and the served probabilities into a finding.
        """
        if accepted != self.accepted:
            return f"{self.file}: accepted is {accepted}, promised was {self.accepted}."
        promised = self.probabilities or (math.nan,) * len(LABELS)
        for name, expected, found in (
            ("valid_probability", self.valid_probability, valid_probability),
            *zip(LABELS, promised, probabilities, strict=True),
        ):
            # Both NaN is agreement; one NaN is not, and fails the comparison.
            if not (math.isnan(expected) and math.isnan(found)) and not abs(expected - found) <= TOLERANCE:
                return f"{self.file}: {name} is {found:.6f}, promised was {expected:.6f} (± {TOLERANCE})."
        if operating_point.finding(probabilities) != operating_point.finding(promised):
            return (
                f"{self.file}: the finding is {operating_point.finding(probabilities)}, "
                f"promised was {operating_point.finding(promised)}."
            )
        return None


def select_radiographs(data: Path) -> list[npt.NDArray[np.uint8]]:
    """Return the canonical radiographs, each (1, 256, 256) uint8, to be the golden cases of a release.

    From the test split, always the same ones: the first of each label, and the first of up to
    three kinds that are no upright frontal radiograph.

    Raises:
        DataSetError: the folder is no data set, has no test split, or an image cannot be decoded.
    """
    data_set = load_metadata(data)
    test = data_set.frame[data_set.frame["split"] == "test"].sort_values("path")
    valid = test[test["filter_label"] == "valid"]
    non_valid = test[test["filter_label"] == "non_valid"].drop_duplicates("kind")
    paths = [
        path for label in LABELS for path in _first_paths(valid[valid["finding"] == label], 1)
    ] + _first_paths(non_valid, NON_VALID_CASES)
    if not paths:
        raise DataSetError(
            f"{data} has no images in its test split, and a release needs golden cases from it."
        )
    return [_decode(data_set.folder / path) for path in paths]


def answer(
    radiographs: Sequence[npt.NDArray[np.uint8]], *, filter_onnx: Path, classifier_onnx: Path
) -> tuple[list[GoldenCase], dict[str, bytes]]:
    """Return the golden cases with what the two networks answer, and their PNG files by name.

    Raises:
        RepositoryError: ONNX Runtime cannot load a network.
    """
    pair = NetworkPair(filter_onnx=filter_onnx, classifier_onnx=classifier_onnx)
    cases, files = [], {}
    for index, radiograph in enumerate(radiographs):
        found = pair.ask(radiograph)
        png = _encode(radiograph)
        name = f"golden/{index}.png"
        files[name] = png
        cases.append(
            GoldenCase(
                file=name,
                sha256=sha256_bytes(png),
                valid_probability=round(found.valid_probability, _DECIMALS),
                accepted=found.accepted,
                probabilities=(
                    tuple(round(float(p), _DECIMALS) for p in found.probabilities) if found.accepted else None
                ),
            )
        )
    return cases, files


def read_files(folder: Path, cases: Sequence[GoldenCase]) -> Mapping[str, bytes]:
    """Return the golden cases' PNG files by name.

    Raises:
        IntegrityError: a file is missing or is not the one that was pinned.
    """
    files = {}
    for case in cases:
        path = folder / case.file
        content = path.read_bytes() if path.is_file() else b""
        if sha256_bytes(content) != case.sha256:
            raise IntegrityError(
                f"The golden case {case.file} of this release is missing or not the one that was pinned. "
                "Someone changed the artifact store; create the release again."
            )
        files[case.file] = content
    return files


def _first_paths(rows: "pd.DataFrame", count: int) -> list[str]:
    return [str(path) for path in rows["path"].head(count)]


def _decode(path: Path) -> npt.NDArray[np.uint8]:
    try:
        return decode_radiograph(path.read_bytes())
    except (OSError, RadiographError) as error:
        raise DataSetError(
            f"{path} cannot be a golden case: {error} Run `hilum data check` on the set."
        ) from error


def _encode(radiograph: npt.NDArray[np.uint8]) -> bytes:
    """Return a PNG that decodes to the identical radiograph."""
    stream = io.BytesIO()
    Image.fromarray(radiograph.reshape(RADIOGRAPH_SIZE_PX, RADIOGRAPH_SIZE_PX)).save(stream, "PNG")
    png = stream.getvalue()
    if not np.array_equal(decode_radiograph(png), radiograph):
        raise IntegrityError(
            "A canonical radiograph stored as PNG does not decode to itself: report this defect."
        )
    return png
