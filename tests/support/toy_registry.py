"""Toy networks in a real registry, tagged as an export tags them."""

import json
from collections.abc import Mapping
from pathlib import Path

import mlflow
import numpy as np
import onnx

from hilum.contract import CLASSIFIER, FILTER
from hilum.radiograph import DECODER_DIGEST
from tests.support.toy_models import TOY_EMBEDDING_SIZE, TOY_MAP_SIZE, toy_classifier, toy_filter
from tests.support.toy_release import save_onnx
from training.registry import RegisteredVersion, Registry


def register_toy_filter(registry: Registry, folder: Path, *, threshold: float = 0.1) -> RegisteredVersion:
    """Register a toy filter as the next version."""
    path = save_onnx(toy_filter(threshold), folder / "filter.onnx")
    return register_network(registry, FILTER, path, {"hilum.threshold": str(threshold)})


def register_toy_classifier(
    registry: Registry,
    folder: Path,
    *,
    gain: float = 4.0,
    network: onnx.ModelProto | None = None,
    tags: Mapping[str, str] | None = None,
) -> RegisteredVersion:
    """Register a toy classifier, or `network`, as the next version; `tags` replace the usual ones."""
    path = save_onnx(network or toy_classifier(gain), folder / "classifier.onnx")
    facts = {
        "hilum.operating_point": json.dumps({"lung_opacity": 0.4, "covid19": 0.4}),
        "hilum.map_size": f"{TOY_MAP_SIZE}x{TOY_MAP_SIZE}",
        "hilum.embedding_size": str(TOY_EMBEDDING_SIZE),
    }
    return register_network(registry, CLASSIFIER, path, facts | dict(tags or {}))


def register_network(registry: Registry, name: str, path: Path, tags: dict[str, str]) -> RegisteredVersion:
    """Register an ONNX file in a run of its own."""
    client = mlflow.MlflowClient()
    run = client.create_run(mlflow.set_experiment(name).experiment_id)
    client.set_terminated(run.info.run_id)
    lineage = {
        "hilum.run_id": run.info.run_id,
        "hilum.recipe": "toy",
        "hilum.data_digest": "00" * 32,
        "hilum.decoder_digest": DECODER_DIGEST,
        "hilum.git_revision": "unknown",
        "hilum.parity": "passed",
        "hilum.opset": "20",
    }
    example = {"radiograph": np.full((2, 1, 256, 256), 200, dtype=np.uint8)}
    if name == CLASSIFIER:
        example["accepted"] = np.ones((2, 1), dtype=np.bool_)
    return registry.register_onnx(
        name, path, run_id=run.info.run_id, tags=lineage | tags, input_example=example
    )
