"""`xray_monitor`: the ensemble's last step, which passes its tensors through and counts what is served.

Its version is the release number; `operating_point.<release>` in its configuration holds the
thresholds at which that release reports findings, and `reference.json` beside this file, where the release
has one, what its signals looked like when it was made. Images that come through the challenger's front
door are copies of the champion's, and count in a series of their own.
"""

import json
from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

from hilum.contract import (
    ACCEPTED,
    EMBEDDING,
    LABELS,
    MIRRORED,
    MODELS,
    MONITOR,
    PROBABILITIES,
    VALID_PROBABILITY,
)
from hilum.errors import UsageError
from hilum.operating_point import OperatingPoint
from hilum.reference import REFERENCE_FILE, Reference
from hilum.triton.metrics import CHALLENGER_FINDINGS, FINDINGS, IMAGES, Counter, hand_on_the_rest
from hilum.triton.signals import Signals

TENSORS = [tensor.name for tensor in MODELS[MONITOR].outputs]
"""Names of what goes in and comes out."""


class TritonPythonModel:
    """The counting process of one release."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Register the metrics, and read the release's thresholds and its reference sample.

        Raises:
            TritonModelException: the configuration has no valid thresholds for this release, or its
                reference sample cannot be read.
        """
        self._release = args["model_version"]
        config = json.loads(args["model_config"])
        self._operating_point = _read_operating_point(config, self._release)
        version_folder = Path(args["model_repository"]) / self._release
        self._signals = Signals(self._release, _read_reference(version_folder / REFERENCE_FILE, config))
        self._images = Counter(IMAGES, "outcome", ["accepted", "rejected"])
        self._findings = Counter(FINDINGS, "finding", LABELS, release=self._release)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Pass each request's tensors through, and count its images."""
        return [self._answer(request) for request in requests]

    def finalize(self) -> None:
        """Count what is not counted yet."""
        hand_on_the_rest()

    @cached_property
    def _challenger_findings(self) -> Counter:
        """Made with the first copy: most releases are never a challenger while they are loaded."""
        return Counter(CHALLENGER_FINDINGS, "finding", LABELS, release=self._release)

    def _answer(self, request: Any) -> Any:
        tensors = {name: pb_utils.get_input_tensor_by_name(request, name) for name in TENSORS}
        accepted = tensors[ACCEPTED.name].as_numpy().reshape(-1)
        probabilities = tensors[PROBABILITIES.name].as_numpy()[accepted]
        mirrored = pb_utils.get_input_tensor_by_name(request, MIRRORED.name) is not None
        if not mirrored:
            outcomes = Tally("accepted" if is_accepted else "rejected" for is_accepted in accepted)
            for outcome, count in outcomes.items():
                self._images.add(outcome, count)
            self._signals.observe(
                tensors[VALID_PROBABILITY.name].as_numpy().reshape(-1),
                probabilities,
                tensors[EMBEDDING.name].as_numpy()[accepted],
            )
        counter = self._challenger_findings if mirrored else self._findings
        findings = Tally(self._operating_point.finding(row) for row in probabilities.tolist())
        for finding, count in findings.items():
            if finding is not None:  # a network that answers NaN reports nothing
                counter.add(finding, count)
        return pb_utils.InferenceResponse(list(tensors.values()))


def _read_operating_point(config: Mapping[str, Any], release: str) -> OperatingPoint:
    """Return the thresholds of a release from the model's configuration."""
    key = f"operating_point.{release}"
    try:
        return OperatingPoint(json.loads(config["parameters"][key]["string_value"]))
    except (KeyError, ValueError, TypeError, AttributeError, UsageError) as error:
        raise pb_utils.TritonModelException(
            f"xray_monitor's config.pbtxt needs the parameter {key!r}, a JSON object of finding and "
            f"threshold, to serve release {release} ({type(error).__name__}: {error}). "
            "Write the repository again with `hilum rollout apply`."
        ) from error


def _read_reference(path: Path, config: Mapping[str, Any]) -> Reference | None:
    """Return the reference sample of a release; None where it has none."""
    if not path.exists():
        return None
    try:
        reference = Reference.from_json(path.read_bytes())
        (size,) = next(each["dims"] for each in config["input"] if each["name"] == EMBEDDING.name)
        if int(size) not in (-1, len(reference.mean)):  # -1 while releases of two sizes are loaded
            raise UsageError(f"Its embeddings have {len(reference.mean)} dimensions, the release's {size}.")
    except (OSError, UsageError) as error:
        raise pb_utils.TritonModelException(
            f"xray_monitor cannot read what its release is compared with: {error} "
            "Write the repository again with `hilum rollout apply`."
        ) from error
    return reference
