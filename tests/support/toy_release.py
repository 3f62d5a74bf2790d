"""A release of the toy networks, as the model repository knows it."""

from pathlib import Path

import onnx

from hilum.operating_point import OperatingPoint
from tests.support.toy_models import TOY_EMBEDDING_SIZE, TOY_MAP_SIZE, toy_classifier, toy_filter
from training.repository.layout import write_repository
from training.repository.served_release import ServedRelease


def toy_release(
    number: int = 1,
    *,
    filter_version: int = 1,
    classifier_version: int = 1,
    thresholds: tuple[float, float] = (0.5, 0.5),
) -> ServedRelease:
    """Return a release of the toy networks; its digest repeats its number."""
    return ServedRelease(
        number=number,
        digest=f"{number:064x}",
        filter_version=filter_version,
        classifier_version=classifier_version,
        operating_point=OperatingPoint({"lung_opacity": thresholds[0], "covid19": thresholds[1]}),
        map_size=(TOY_MAP_SIZE, TOY_MAP_SIZE),
        embedding_size=TOY_EMBEDDING_SIZE,
    )


def save_onnx(model: onnx.ModelProto, path: Path) -> Path:
    """Write an ONNX model to `path` and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def write_toy_repository(folder: Path, release: ServedRelease, scratch: Path) -> Path:
    """Write a model repository that serves `release` with the toy networks; return `folder`."""
    write_repository(
        folder,
        release,
        filter_onnx=save_onnx(toy_filter(), scratch / "filter.onnx"),
        classifier_onnx=save_onnx(toy_classifier(), scratch / "classifier.onnx"),
    )
    return folder
