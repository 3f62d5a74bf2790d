"""Export, the row gate, and the parity check that must be able to fail."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import scipy.special
import torch
from numpy.typing import NDArray

from training.errors import ParityError
from training.export.onnx_export import ExportedModel, export_onnx
from training.export.parity import BATCHES, check_parity
from training.export.served import ServedClassifier, ServedFilter
from training.models.backbones import BackboneConfig
from training.models.network import RadiographNetwork

BACKBONE = BackboneConfig(name="mobilenetv1_100", channels=1, image_size_px=64)
RADIOGRAPHS = np.random.default_rng(0).integers(0, 256, (16, 1, 256, 256), dtype=np.uint8)


@pytest.fixture(scope="module")
def classifier() -> ServedClassifier:
    torch.manual_seed(0)
    return ServedClassifier(RadiographNetwork(BACKBONE, ("a", "b", "c"))).eval()


@pytest.fixture(scope="module")
def exported(classifier: ServedClassifier, tmp_path_factory: pytest.TempPathFactory) -> ExportedModel:
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    return export_onnx(classifier, path, {"hilum.run_id": "abc"})


def run(path: Path, **inputs: NDArray[np.generic]) -> dict[str, NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def test_export_is_one_file_with_its_lineage(exported: ExportedModel) -> None:
    assert [path.name for path in exported.path.parent.iterdir()] == ["model.onnx"]
    model = onnx.load(exported.path, load_external_data=False)
    assert {prop.key: prop.value for prop in model.metadata_props}["hilum.run_id"] == "abc"
    assert (exported.map_size, exported.embedding_size) == ((2, 2), 1024)


def test_filter_carries_its_threshold_and_decides(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = RadiographNetwork(BACKBONE, ("non_valid", "valid")).eval()
    with torch.inference_mode():
        probability = ServedFilter(network, 0.5)(torch.from_numpy(RADIOGRAPHS))[0].numpy()[:, 0]
    threshold = float(np.median(probability))  # some rows on either side
    served = ServedFilter(network, threshold).eval()
    exported = export_onnx(served, tmp_path / "model.onnx", {})
    outputs = run(exported.path, radiograph=RADIOGRAPHS)
    assert outputs["accepted"].dtype == np.bool_
    assert 0 < outputs["accepted"].sum() < len(RADIOGRAPHS)
    model = onnx.load(exported.path)
    initializers = [onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
    assert any(value.size == 1 and value == np.float32(threshold) for value in initializers)
    check_parity(served, exported.path, RADIOGRAPHS)


def test_temperature_is_in_the_graph(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = RadiographNetwork(BACKBONE, ("a", "b", "c")).eval()
    served = ServedClassifier(network, temperature=2.5).eval()
    exported = export_onnx(served, tmp_path / "model.onnx", {})
    accepted = np.ones((len(RADIOGRAPHS), 1), dtype=np.bool_)
    probabilities = run(exported.path, radiograph=RADIOGRAPHS, accepted=accepted)["probabilities"]
    with torch.inference_mode():
        logits = network(torch.from_numpy(RADIOGRAPHS)).logits.numpy()
    np.testing.assert_allclose(probabilities, scipy.special.softmax(logits / 2.5, axis=1), atol=1e-5)


def test_parity_covers_every_batch_and_output(classifier: ServedClassifier, exported: ExportedModel) -> None:
    table = check_parity(classifier, exported.path, RADIOGRAPHS)
    assert len(table) == len(BATCHES) * 3
    assert set(table["batch"]) == {1, 2, 5}
    assert ((table["accepted"] > 0) & (table["accepted"] < table["batch"])).any()


def test_parity_fails_on_other_weights(exported: ExportedModel) -> None:
    torch.manual_seed(1)
    other = ServedClassifier(RadiographNetwork(BACKBONE, ("a", "b", "c"))).eval()
    with pytest.raises(ParityError, match=r"differ by up to .* in output `.*` at batch 1"):
        check_parity(other, exported.path, RADIOGRAPHS)


def test_rejected_rows_are_nan_and_leave_the_others_alone(exported: ExportedModel) -> None:
    images = RADIOGRAPHS[:4]
    mask = np.array([[True], [False], [True], [False]])
    mixed = run(exported.path, radiograph=images, accepted=mask)
    kept = run(exported.path, radiograph=images[mask[:, 0]], accepted=np.ones((2, 1), dtype=np.bool_))
    for name, value in mixed.items():
        assert np.isnan(value[~mask[:, 0]]).all(), name
        np.testing.assert_allclose(value[mask[:, 0]], kept[name], atol=1e-6, err_msg=name)


def test_an_empty_batch_of_accepted_rows_runs(exported: ExportedModel) -> None:
    outputs = run(exported.path, radiograph=RADIOGRAPHS[:3], accepted=np.zeros((3, 1), dtype=np.bool_))
    assert outputs["probabilities"].shape == (3, 3)
    assert np.isnan(outputs["activation_map"]).all()
