"""Counts what an engine's layers compute in, from the listing of TensorRT's inspector.

Only the listing tells: TensorRT builds FP32 engines where another precision was asked, and reports success.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.errors import IntegrityError, ParityError
from training.export.tensorrt.plan import LAYERS_FILE

_FORMATS = {
    "int8": re.compile(r"(?<!u)int8", re.I),  # not the radiograph's uint8
    "fp16": re.compile("fp16|half", re.I),
    "fp32": re.compile("fp32|float", re.I),
}
"""How the inspector names data types, in the order in which they are looked for."""

_WORK = re.compile("conv|gemm|matmul|matrix", re.I)
"""Layers that hold weights; where TensorRT has fused everything, no layer's type says so."""

_NO_WEIGHTS = re.compile("reformat|pointwise|pool|noop", re.I)
"""Types of layers without weights, named after the layer that they serve: `Reformatting CopyNode for Input
Tensor 0 to /conv0/Conv`, `PWN(/conv0/Relu)`."""


def read_layers(folder: Path) -> dict[str, int]:
    """Return the number of layers by type, from the listing in a build's folder.

    Raises:
        IntegrityError: the listing is damaged.
        ParityError: it says nothing of types.
    """
    path = folder / LAYERS_FILE
    try:
        listing = json.loads(path.read_bytes())
    except ValueError as error:
        raise IntegrityError(f"{path} is no JSON: {error}. Run the build again, to its end.") from error
    if not isinstance(listing, dict) or not isinstance(listing.get("Layers", []), list):
        raise IntegrityError(f"{path} is no listing of an engine's layers. Run the build again, to its end.")
    return count_engine_layers(listing)


def count_engine_layers(listing: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of layers by the type of their first input, from the inspector's listing.

    Layers with weights are counted; where the listing names none as such, all that may hold some.

    Raises:
        ParityError: the listing says nothing of types: the engine was built without detailed verbosity.
    """
    layers = [layer for layer in listing.get("Layers", []) if isinstance(layer, dict)]
    if not layers:
        raise ParityError(
            f"{LAYERS_FILE} lists no layer with its types: the engine was not built with "
            "--profilingVerbosity=detailed, so its precision cannot be told. It gets no passport."
        )
    able = [layer for layer in layers if not _NO_WEIGHTS.search(str(layer.get("LayerType", "")))]
    weighted = [
        layer for layer in able if _WORK.search(f"{layer.get('LayerType', '')} {layer.get('Name', '')}")
    ]
    return dict(sorted(Counter(_layer_type(layer) for layer in weighted or able).items()))


def _layer_type(layer: Mapping[str, Any]) -> str:
    inputs = layer.get("Inputs")
    first = inputs[0] if isinstance(inputs, list) and inputs else None
    text = str(first.get("Format/Datatype", "")) if isinstance(first, dict) else ""
    return next((name for name, pattern in _FORMATS.items() if pattern.search(text)), "unknown")
