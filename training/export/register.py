"""From a training run to a registered version: export, parity, lineage."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow.entities import Run
from numpy.typing import NDArray

from hilum.contract import FILTER, LABELS
from hilum.errors import UsageError
from training import artifacts, tracking
from training.data.cache import RadiographCache
from training.data.metadata import DataSet
from training.data.samples import build_samples
from training.evaluate.decisions import (
    OPERATING_POINT_TAG,
    TEMPERATURE_TAG,
    THRESHOLD_TAG,
    temperature_of,
)
from training.export.onnx_export import OPSET, ExportedModel, export_onnx
from training.export.onnx_passport import describe_onnx, value_parity
from training.export.parity import check_parity
from training.export.registration import record_registration
from training.export.served import ServedClassifier, ServedFilter
from training.ledger.ledger import Ledger
from training.registry import (
    EMBEDDING_SIZE_TAG,
    MAP_SIZE_TAG,
    OPSET_TAG,
    PARITY_TAG,
    RUN_ID_TAG,
    RegisteredVersion,
    Registry,
)
from training.train.checkpoint import load_network

PARITY_IMAGES = 16
"""Real radiographs that parity is checked on."""

LINEAGE = (
    tracking.RECIPE_TAG,
    tracking.DATA_DIGEST_TAG,
    tracking.DECODER_DIGEST_TAG,
    tracking.GIT_REVISION_TAG,
    THRESHOLD_TAG,
    OPERATING_POINT_TAG,
    TEMPERATURE_TAG,
)
"""Tags of the training run that the registered version carries on."""


@dataclass(frozen=True)
class Registration:
    """A registered version and the proof that it answers as the trained network does."""

    version: RegisteredVersion
    parity: pd.DataFrame


def export_and_register(
    run: Run, data: DataSet, cache: RadiographCache, registry: Registry, ledger: Ledger, *, who: str
) -> Registration:
    """Export a training run's network, check it against torch on real radiographs, and register it.

    Args:
        run: the training run.
        data: gives the radiographs that parity is checked on.
        cache: holds them decoded.
        registry: takes the network.
        ledger: records that `who` registered it.
        who: who exports.

    Raises:
        UsageError: its classes are not those that are served.
        ParityError: the exported file answers otherwise; nothing is registered.
    """
    run_id, model = run.info.run_id, run.data.tags[tracking.MODEL_TAG]
    with artifacts.downloaded(run_id, tracking.CHECKPOINT) as checkpoint:
        network = load_network(checkpoint)
    _check_labels(run_id, model, network.labels)
    temperature = temperature_of(run.data.tags)
    served: ServedFilter | ServedClassifier
    if model == FILTER:
        served = ServedFilter(network, float(run.data.tags[THRESHOLD_TAG]), temperature)
    else:
        served = ServedClassifier(network, temperature)
    served.eval()
    lineage = {tag: run.data.tags[tag] for tag in LINEAGE if tag in run.data.tags} | {RUN_ID_TAG: run_id}
    radiographs = _parity_radiographs(model, data, cache)
    with tempfile.TemporaryDirectory(prefix="hilum-") as folder:
        exported = export_onnx(served, Path(folder) / "model.onnx", lineage)
        parity = check_parity(served, exported.path, radiographs)
        artifacts.log_text(run_id, parity.to_csv(index=False), "parity.csv")
        inputs = {"radiograph": radiographs[:1]}
        if model != FILTER:
            inputs["accepted"] = np.ones((1, 1), dtype=np.bool_)
        passport = describe_onnx(exported.path, model, "fp32", values=value_parity(parity))
        version = registry.register_onnx(
            model,
            exported.path,
            run_id=run_id,
            tags=lineage | _facts(exported),
            input_example=inputs,
            passport=passport.to_json(),
        )
    record_registration(ledger, version, who=who)
    return Registration(version, parity)


def _check_labels(run_id: str, model: str, labels: tuple[str, ...]) -> None:
    """Refuse a classifier of other classes than the contract's: nobody could read its answers."""
    if model != FILTER and labels != LABELS:
        raise UsageError(
            f"Run {run_id} trained a classifier of {', '.join(labels)}; served are {', '.join(LABELS)}. "
            "It can be evaluated, but not exported: choose a run with these classes by --run."
        )


def _facts(exported: ExportedModel) -> dict[str, str]:
    """Return what releases and configurations must know of the file, as tags."""
    facts = {PARITY_TAG: "passed", OPSET_TAG: str(OPSET)}
    if exported.map_size and exported.embedding_size:
        facts[MAP_SIZE_TAG] = "x".join(map(str, exported.map_size))
        facts[EMBEDDING_SIZE_TAG] = str(exported.embedding_size)
    return facts


def _parity_radiographs(model: str, data: DataSet, cache: RadiographCache) -> NDArray[np.uint8]:
    """Return (N, 1, 256, 256) radiographs spread over the validation split."""
    frame = build_samples(data, cache, model, "val").frame
    rows = np.linspace(0, len(frame) - 1, PARITY_IMAGES).astype(int)
    return np.stack([np.rot90(cache.get(frame["digest"][i]), frame["turns"][i], axes=(1, 2)) for i in rows])
