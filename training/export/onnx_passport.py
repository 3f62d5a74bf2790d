"""Writes the passport of an ONNX file: what is read from the graph, and the proof that the caller brings."""

from collections.abc import Iterable
from pathlib import Path

import onnx
import onnxruntime
import pandas as pd

from hilum.files import sha256_file
from training.export.passport import DecisionParity, Passport, Precision, ValueParity
from training.export.precision import count_layers, onnxruntime_floor, opset_of


def describe_onnx(
    path: Path,
    model: str,
    precision: Precision,
    *,
    values: Iterable[ValueParity],
    decisions: DecisionParity | None = None,
) -> Passport:
    """Return the passport of the ONNX file at `path`, whose parity was measured by ONNX Runtime here."""
    network = onnx.load(path)
    return Passport(
        model=model,
        kind="onnx",
        sha256=sha256_file(path),
        precision=precision,
        layers=count_layers(network),
        opset=opset_of(network),
        ir_version=network.ir_version,
        onnxruntime=onnxruntime_floor(network),
        proven_with=f"ONNX Runtime {onnxruntime.__version__} on a CPU",
        values=tuple(values),
        decisions=decisions,
    )


def value_parity(table: pd.DataFrame) -> tuple[ValueParity, ...]:
    """Return the worst row of each float output of `check_parity`'s table."""
    worst = table[table["allowed"] > 0].groupby("output", sort=True)[["max_abs_difference", "allowed"]].max()
    return tuple(
        ValueParity(output=str(name), max_difference=float(found), allowed=float(allowed), scale="absolute")
        for name, (found, allowed) in zip(worst.index, worst.to_numpy(), strict=True)
    )
