"""The names, shapes and dtypes that training, serving and clients agree on.

Shapes omit the batch axis, as Triton's own configuration does; -1 is an axis whose
length the network decides. Every other module takes these facts from here.
"""

from dataclasses import dataclass
from typing import Literal

Dtype = Literal["BYTES", "UINT8", "FP32", "BOOL"]
"""Open Inference Protocol names of the dtypes in use."""

LABELS = ("no_finding", "lung_opacity", "covid19")
"""The classifier's labels, in the order of its outputs."""

FINDINGS = LABELS[1:]
"""The labels that a person should look at: those with an operating threshold."""

RADIOGRAPH_SIZE_PX = 256
"""Side of the canonical radiograph, in pixels."""

DECODE = "xray_decode"
FILTER = "xray_filter"
CLASSIFIER = "xray_classifier"
MONITOR = "xray_monitor"
SCREENING = "xray_screening"
"""The ensemble: the front door, and the registered model whose versions are releases."""

CHALLENGER_SCREENING = "xray_screening_challenger"
"""A second front door, there while a challenger release is loaded."""

PASSPORT_SUFFIX = ".passport.json"
"""`model.onnx.passport.json` lies beside `model.onnx` and says what it is; loading compares the two."""

NOTICE = (
    "For research and triage support only. Hilum is not a medical device: "
    "a qualified reader must confirm every answer."
)
"""Shown wherever a prediction is shown."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output of a served model."""

    name: str
    """Name on the wire and in the ONNX graph."""
    dtype: Dtype
    """Open Inference Protocol dtype."""
    shape: tuple[int, ...]
    """Shape without the batch axis; -1 where the network decides."""


@dataclass(frozen=True, slots=True)
class ModelContract:
    """The inputs and outputs of one served model."""

    inputs: tuple[Tensor, ...]
    """In the order of the configuration."""
    outputs: tuple[Tensor, ...]
    """In the order of the configuration."""
    optional_inputs: tuple[Tensor, ...] = ()
    """Connected by the challenger's front door only: their presence says that the image is a copy of
    one that the champion answers, so that it is not counted twice."""


IMAGE_BYTES = Tensor("image_bytes", "BYTES", (1,))
RADIOGRAPH = Tensor("radiograph", "UINT8", (1, RADIOGRAPH_SIZE_PX, RADIOGRAPH_SIZE_PX))
VALID_PROBABILITY = Tensor("valid_probability", "FP32", (1,))
ACCEPTED = Tensor("accepted", "BOOL", (1,))
PROBABILITIES = Tensor("probabilities", "FP32", (len(LABELS),))
ACTIVATION_MAP = Tensor("activation_map", "FP32", (len(LABELS), -1, -1))
EMBEDDING = Tensor("embedding", "FP32", (-1,))
MIRRORED_IMAGE = Tensor("mirrored_image_bytes", "BYTES", (1,))
MIRRORED = Tensor("mirrored", "BOOL", (1,))

MODELS: dict[str, ModelContract] = {
    DECODE: ModelContract((IMAGE_BYTES,), (RADIOGRAPH,), (MIRRORED_IMAGE,)),
    FILTER: ModelContract((RADIOGRAPH,), (VALID_PROBABILITY, ACCEPTED)),
    CLASSIFIER: ModelContract((RADIOGRAPH, ACCEPTED), (PROBABILITIES, ACTIVATION_MAP, EMBEDDING)),
    MONITOR: ModelContract(
        (VALID_PROBABILITY, ACCEPTED, PROBABILITIES, EMBEDDING),
        (VALID_PROBABILITY, ACCEPTED, PROBABILITIES, EMBEDDING),
        (MIRRORED,),
    ),
    SCREENING: ModelContract(
        (IMAGE_BYTES,),
        (VALID_PROBABILITY, ACCEPTED, PROBABILITIES, ACTIVATION_MAP, EMBEDDING),
    ),
}
"""Every served model by its Triton name."""
