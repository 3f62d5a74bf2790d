"""Proves that the exported file answers as the torch network does."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import torch
from numpy.typing import NDArray

from hilum.contract import CLASSIFIER, FILTER, MODELS
from training.errors import ParityError
from training.export.served import ServedClassifier, ServedFilter

TOLERANCES = {"valid_probability": 1e-4, "probabilities": 1e-4, "activation_map": 1e-3, "embedding": 1e-3}
"""Largest absolute difference allowed, by output; decisions must be equal."""

BATCHES: tuple[tuple[bool, ...], ...] = (
    (True,),
    (False,),
    (True, True),
    (True, False),
    (True, True, True, True, True),
    (False, True, True, False, True),
    (False, False, False, False, False),
)
"""Which rows of a batch the filter accepted, for the classifier; for the filter only their number counts."""

Outputs = dict[str, NDArray[Any]]


def check_parity(
    served: ServedFilter | ServedClassifier, path: Path, radiographs: NDArray[np.uint8]
) -> pd.DataFrame:
    """Compare torch and ONNX Runtime at batch 1, 2 and 5, accepted and rejected rows mixed.

    Args:
        served: the torch original, in evaluation mode.
        path: the exported file.
        radiographs: (N, 1, 256, 256) uint8, N at least 5; each batch takes other ones.

    Returns:
        A table: batch, accepted, output, images, max_abs_difference, allowed.

    Raises:
        ParityError: an output differs by more than its tolerance, or a decision or a NaN row differs.
    """
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rows = []
    for number, mask in enumerate(BATCHES):
        accepted = np.array(mask)[:, None]
        batch = np.roll(radiographs, -5 * number, axis=0)[: len(mask)]
        expected, found = _torch(served, batch, accepted), _onnx(session, batch, accepted)
        for output, value in expected.items():
            rows.append(
                {
                    "batch": len(mask),
                    "accepted": int(accepted.sum()),
                    "output": output,
                    "max_abs_difference": _difference(value, found[output]),
                    "allowed": TOLERANCES.get(output, 0.0),
                }
            )
    table = pd.DataFrame(rows)
    worst = table[table["max_abs_difference"] > table["allowed"]]
    if not worst.empty:
        row = worst.iloc[0]
        raise ParityError(
            f"{path.name}: ONNX Runtime and PyTorch differ by up to {row['max_abs_difference']:.2g} in "
            f"output `{row['output']}` at batch {row['batch']} (allowed {row['allowed']:.2g}). Nothing was "
            f"registered; the network uses an operator that does not export faithfully."
        )
    return table


def _torch(
    served: ServedFilter | ServedClassifier, batch: NDArray[np.uint8], accepted: NDArray[np.bool_]
) -> Outputs:
    """Return the torch original's outputs, NaN where a row is not accepted."""
    with torch.inference_mode():
        if isinstance(served, ServedFilter):
            names = [tensor.name for tensor in MODELS[FILTER].outputs]
            return dict(zip(names, (value.numpy() for value in served(torch.from_numpy(batch))), strict=True))
        # At least one row: torch's convolutions refuse an empty batch on some backends.
        values = [value.numpy().copy() for value in served(torch.from_numpy(batch))]
    for value in values:
        value[~accepted[:, 0]] = np.nan
    return dict(zip((tensor.name for tensor in MODELS[CLASSIFIER].outputs), values, strict=True))


def _onnx(
    session: onnxruntime.InferenceSession, batch: NDArray[np.uint8], accepted: NDArray[np.bool_]
) -> Outputs:
    """Return ONNX Runtime's outputs by name."""
    inputs = {"radiograph": batch, "accepted": accepted}
    wanted = {info.name: inputs[info.name] for info in session.get_inputs()}
    names = [info.name for info in session.get_outputs()]
    return dict(zip(names, session.run(names, wanted), strict=True))


def _difference(expected: NDArray[Any], found: NDArray[Any]) -> float:
    """Return the largest absolute difference; infinite where shape, dtype, NaN rows or a decision differ."""
    if expected.shape != found.shape or expected.dtype != found.dtype:
        return float("inf")
    if expected.dtype == np.bool_:
        return 0.0 if np.array_equal(expected, found) else float("inf")
    if not np.array_equal(np.isnan(expected), np.isnan(found)):
        return float("inf")
    return float(np.nanmax(np.abs(expected - found), initial=0.0))
