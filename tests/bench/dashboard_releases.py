"""What a registry and a ledger hold after some months: fifty releases, two large evaluations, a history."""

from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import onnx
from mlflow.entities import Metric
from numpy.typing import NDArray

from hilum.console import track
from hilum.contract import ACTIVATION_MAP, CLASSIFIER, EMBEDDING, FILTER
from hilum.errors import UsageError
from tests.bench.evaluation import many_predictions
from tests.support.toy_registry import register_network, register_toy_classifier
from tests.support.verdicts import judge
from training.data.synthetic import draw_data_set
from training.evaluate.evaluation import MIN_BOOTSTRAP, evaluate
from training.evaluate.run import log_evaluation
from training.ledger.ledger import Ledger
from training.promote.promotion import promote_release
from training.promote.release import (
    CLASSIFIER_VERSION_TAG,
    DIGEST_TAG,
    FILTER_VERSION_TAG,
    RELEASE_FILE,
    StoredRelease,
    fetch_release,
)
from training.promote.release_creation import create_release
from training.registry import Registry

RELEASES = 50

PROMOTED = 12
"""Releases that were champion one after another."""

APPROVALS = 1000
"""Entries of the ledger beside those of releases, verdicts and promotions."""

EPOCHS = 60

WHO = "bench"


def fill_registry(registry: Registry, ledger: Ledger, repository: Path, folder: Path) -> tuple[int, int]:
    """Register the networks of a model repository and fifty releases of them, two with 100,000 predictions.

    The two pin one classifier each; the others are the first with other thresholds, so that their evaluation
    is the first's.

    Returns:
        The champion, and the release to compare it with.

    Raises:
        UsageError: the repository holds no networks.
    """
    draw_data_set(folder / "data", 60, 1)
    register_network(registry, FILTER, _network(repository, FILTER), {"hilum.threshold": "0.5"})
    network = onnx.load(_network(repository, CLASSIFIER))
    shapes = {
        output.name: [dimension.dim_value for dimension in output.type.tensor_type.shape.dim]
        for output in network.graph.output
    }
    height, width = shapes[ACTIVATION_MAP.name][2:]
    size = shapes[EMBEDDING.name][1]
    tags = {"hilum.map_size": f"{height}x{width}", "hilum.embedding_size": str(size)}
    numbers = []
    for skill in (1.5, 1.7):
        classifier = register_toy_classifier(registry, folder, network=network, tags=tags)
        _log_training(classifier.run_id, size, skill)
        number, _, _ = create_release(
            registry, ledger, folder / "data", who=WHO, classifier_version=classifier.number
        )
        numbers.append(number)
    champion, other = numbers
    stored = fetch_release(registry, champion)
    for place in track(range(RELEASES - len(numbers)), "Storing releases", total=RELEASES - len(numbers)):
        numbers.append(_store_copy(registry, ledger, stored, 0.41 + place / 100))
    _decide(registry, ledger, [*numbers[1 : 1 + PROMOTED], champion])
    return champion, other


def _network(repository: Path, model: str) -> Path:
    found = sorted((repository / model).glob("*/model.onnx"))
    if not found:
        raise UsageError(
            f"There is no {model} in the model repository {repository}. Run `make demo` first, "
            "or name another repository with --repository."
        )
    return found[-1]


def _log_training(run_id: str, size: int, skill: float) -> None:
    """Log an evaluation with its embeddings, and a learning curve, to the run of a classifier."""
    predictions = many_predictions(skill=skill)
    evaluation = evaluate(predictions, n_bootstrap=MIN_BOOTSTRAP)  # the page reads intervals, it makes none
    embedded = replace(predictions, embeddings=_embeddings(predictions.truth, size))
    log_evaluation(run_id, "test", evaluation, embedded, "00" * 32)
    losses = [
        Metric(name, 0.3 + height * 0.95**epoch, 0, epoch)
        for epoch in range(EPOCHS)
        for name, height in (("train_loss", 0.8), ("val_loss", 0.9))
    ]
    mlflow.MlflowClient().log_batch(run_id, metrics=losses)


def _embeddings(truth: NDArray[np.int64], size: int) -> NDArray[np.float32]:
    """Return (N, size) what a last layer's pooled features look like: not negative, classes apart."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(int(truth.max()) + 1, size)).astype(np.float32)
    values = random.standard_normal((len(truth), size), dtype=np.float32)
    values += centres[truth]
    return np.maximum(values, 0, out=values)


def _store_copy(registry: Registry, ledger: Ledger, stored: StoredRelease, threshold: float) -> int:
    """Store a release with other thresholds, as `create_release` does once it has asked the networks."""
    release = stored.release.model_copy(update={"thresholds": {"lung_opacity": threshold, "covid19": 0.4}})
    created = registry.create_release(
        {**stored.files, RELEASE_FILE: release.to_json()},
        {
            DIGEST_TAG: release.digest,
            FILTER_VERSION_TAG: str(release.filter.version),
            CLASSIFIER_VERSION_TAG: str(release.classifier.version),
        },
    )
    ledger.append("released", who=WHO, facts={"release": created.number, "digest": release.digest})
    return created.number


def _decide(registry: Registry, ledger: Ledger, champions: list[int]) -> None:
    """Judge and promote releases in turn, and fill the ledger with approvals."""
    before: int | None = None
    for number in track(champions, "Promoting releases", total=len(champions)):
        judge(registry, ledger, number, against=before)
        promote_release(registry, ledger, number, who=WHO, reason="for the benchmark", force=True)
        before = number
    facts = {"release": champions[-1], "digest": "ab" * 32}
    for _ in track(range(APPROVALS), "Filling the ledger", total=APPROVALS):
        ledger.append("approved", who=WHO, why="looks right", facts=facts)
