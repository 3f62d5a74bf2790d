"""The making of a reference sample: which images, what both networks say to them, and how it is told."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from hilum.contract import FINDINGS, LABELS
from hilum.radiograph import decode_radiograph
from hilum.reference import SIGNALS, EmbeddingDistance, Reference, SignalCounts
from tests.support.toy_data import write_toy_data
from tests.support.toy_models import TOY_EMBEDDING_SIZE, toy_classifier, toy_filter
from tests.support.toy_release import save_onnx
from training.errors import DataSetError
from training.promote.reference import IMAGES, build_reference, choose_images, leave_one_out_distances


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_toy_data(tmp_path / "data")


def build(data: Path, *, threshold: float = 0.1) -> Reference | None:
    return build_reference(
        data,
        filter_onnx=save_onnx(toy_filter(threshold), data.parent / "filter.onnx"),
        classifier_onnx=save_onnx(toy_classifier(), data.parent / "classifier.onnx"),
    )


def run(path: Path, **inputs: NDArray[Any]) -> list[NDArray[Any]]:
    """Run a network by ONNX's reference implementation, which shares no code with ONNX Runtime."""
    outputs = ReferenceEvaluator(onnx.load(path)).run(None, inputs)
    assert isinstance(outputs, list)
    return outputs


def test_it_holds_what_both_networks_say_to_the_valid_radiographs_of_the_validation_split(data: Path) -> None:
    reference = build(data)
    assert reference is not None
    images = np.stack([decode_radiograph((data / f"val-{label}.png").read_bytes()) for label in LABELS])
    valid, accepted = run(data.parent / "filter.onnx", radiograph=images)
    probabilities, _, embeddings = run(data.parent / "classifier.onnx", radiograph=images, accepted=accepted)
    assert reference.split == "val"
    assert set(reference.signals) == set(SIGNALS)
    for signal, values in (
        ("valid_probability", valid[:, 0]),
        *((finding, probabilities[:, LABELS.index(finding)]) for finding in FINDINGS),
    ):
        counts = reference.signals[signal]
        assert counts == SignalCounts.of(values, counts.bounds), signal
    assert reference.signals["embedding_distance"].images == len(LABELS)
    assert len(reference.mean) == TOY_EMBEDDING_SIZE
    np.testing.assert_allclose(reference.mean, embeddings.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(reference.deviation, embeddings.std(axis=0), rtol=1e-5)


def test_the_same_networks_and_images_make_the_same_text(data: Path) -> None:
    first, second = build(data), build(data)
    assert first is not None
    assert second is not None
    assert first.to_json() == second.to_json()


def test_each_image_is_measured_against_the_others() -> None:
    embeddings = np.random.default_rng(3).normal(2, [1, 5, 0.1, 2], (40, 4))
    for left_out, distance in enumerate(leave_one_out_distances(embeddings)):
        others = np.delete(embeddings, left_out, axis=0)
        counts = SignalCounts.of([1.0], (0.5,))
        rest = Reference(
            split="val",
            signals=dict.fromkeys(SIGNALS, counts),
            mean=tuple(others.mean(axis=0)),
            deviation=tuple(others.std(axis=0)),
        )
        expected = EmbeddingDistance(rest)(embeddings[left_out : left_out + 1].astype(np.float32))
        assert distance == pytest.approx(expected[0], rel=1e-5)


def test_images_that_are_all_alike_have_no_distance() -> None:
    np.testing.assert_array_equal(leave_one_out_distances(np.full((3, 5), 7.0)), 0)


def test_a_large_split_is_sampled_always_alike_whatever_the_order_of_the_table() -> None:
    rows = [{"path": f"{n}.png", "split": "val", "filter_label": "valid"} for n in range(3 * IMAGES)]
    frame = pd.DataFrame([*rows, {"path": "x.png", "split": "val", "filter_label": "non_valid"}])
    split, paths = choose_images(frame)
    assert (split, len(set(paths))) == ("val", IMAGES)
    assert choose_images(frame.sample(frac=1, random_state=1)) == (split, paths)
    assert "x.png" not in paths
    numbers = [int(path.removesuffix(".png")) for path in paths]
    assert 0.4 * 3 * IMAGES < np.mean(numbers) < 0.6 * 3 * IMAGES  # from all over, not the first ones


def edit(data: Path, change: str, value: str) -> None:
    """Change every row of the validation split."""
    frame = pd.read_csv(data / "metadata.csv", keep_default_na=False)
    frame.loc[frame["split"] == "val", change] = value
    frame.to_csv(data / "metadata.csv", index=False)


def test_without_a_validation_split_it_is_the_test_splits(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(data, "split", "train")
    reference = build(data)
    assert reference is not None
    assert reference.split == "test"
    assert "of split test: there is no valid radiograph in val" in capsys.readouterr().err


def test_a_set_without_valid_radiographs_gives_none_and_says_so(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(data / "metadata.csv", keep_default_na=False)
    frame[(frame["split"] == "train") | (frame["filter_label"] == "non_valid")].to_csv(
        data / "metadata.csv", index=False
    )
    assert build(data) is None
    assert "no valid radiograph in its splits val and test" in capsys.readouterr().err


def test_a_filter_that_accepts_next_to_nothing_gives_none_and_says_so(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(data, threshold=0.6) is None
    assert "accepts 1 of the 3 valid radiographs in split val" in capsys.readouterr().err


def test_an_image_that_cannot_be_decoded_is_named(data: Path) -> None:
    (data / "val-covid19.png").write_bytes(b"rubbish")
    with pytest.raises(DataSetError, match=r"val-covid19\.png cannot be in a reference sample: Expected"):
        build(data)
