"""Golden cases: chosen the same way every time, and compared strictly."""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from PIL import Image

from hilum.operating_point import OperatingPoint
from hilum.radiograph import decode_radiograph
from tests.support.toy_data import write_toy_data
from tests.support.toy_models import toy_classifier, toy_filter
from tests.support.toy_release import save_onnx
from training.errors import DataSetError, IntegrityError
from training.promote.golden import TOLERANCE, GoldenCase, answer, read_files, select_radiographs

NAN = math.nan
POINT = OperatingPoint({"lung_opacity": 0.5, "covid19": 0.5})
ACCEPTED = GoldenCase(
    file="golden/0.png", sha256="", valid_probability=0.9, accepted=True, probabilities=(0.1, 0.2, 0.7)
)
REJECTED = GoldenCase(
    file="golden/1.png", sha256="", valid_probability=0.1, accepted=False, probabilities=None
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_toy_data(tmp_path / "data")


@pytest.fixture
def networks(tmp_path: Path) -> tuple[Path, Path]:
    return (
        save_onnx(toy_filter(), tmp_path / "filter.onnx"),
        save_onnx(toy_classifier(), tmp_path / "classifier.onnx"),
    )


def disagreement(
    case: GoldenCase, valid: float, probabilities: tuple[float, float, float], *, accepted: bool
) -> str | None:
    return case.disagreement(valid, probabilities, accepted=accepted, operating_point=POINT)


def reference(path: Path, inputs: dict[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    """Run a network by ONNX's reference implementation, which shares no code with ONNX Runtime."""
    outputs = ReferenceEvaluator(onnx.load(path)).run(None, inputs)
    assert isinstance(outputs, list)
    return outputs


def test_the_promised_answer_agrees() -> None:
    assert disagreement(ACCEPTED, 0.9, (0.1, 0.2, 0.7), accepted=True) is None
    assert disagreement(REJECTED, 0.1, (NAN, NAN, NAN), accepted=False) is None


def test_a_difference_within_the_tolerance_agrees() -> None:
    assert disagreement(ACCEPTED, 0.9 + 0.9 * TOLERANCE, (0.1, 0.2, 0.7), accepted=True) is None


@pytest.mark.parametrize(
    ("case", "valid", "probabilities", "accepted", "problem"),
    [
        (ACCEPTED, 0.9, (0.1, 0.2, 0.7), False, "accepted is False, promised was True"),
        (ACCEPTED, 0.91, (0.1, 0.2, 0.7), True, "valid_probability is 0.910000, promised was 0.900000"),
        (ACCEPTED, 0.9, (0.1, 0.2, 0.69), True, "covid19 is 0.690000, promised was 0.700000"),
        (ACCEPTED, 0.9, (NAN, NAN, NAN), True, "no_finding is nan"),
        (REJECTED, 0.1, (0.3, 0.3, 0.4), False, "no_finding is 0.300000, promised was nan"),
    ],
)
def test_a_broken_promise_is_named(
    case: GoldenCase, valid: float, probabilities: tuple[float, float, float], *, accepted: bool, problem: str
) -> None:
    found = disagreement(case, valid, probabilities, accepted=accepted)
    assert found is not None
    assert found.startswith(case.file)
    assert problem in found


def test_a_decision_that_flips_within_the_tolerance_is_a_broken_promise() -> None:
    case = ACCEPTED.model_copy(update={"probabilities": (0.4, 0.0996, 0.5004)})
    found = disagreement(case, 0.9, (0.4, 0.1004, 0.4996), accepted=True)
    assert found == "golden/0.png: the finding is no_finding, promised was covid19."


def test_one_case_per_label_and_three_other_kinds_are_chosen(data: Path) -> None:
    names = ["no_finding", "lung_opacity", "covid19", "other0", "other2", "other3"]
    expected = [decode_radiograph((data / f"test-{name}.png").read_bytes()) for name in names]
    assert np.array_equal(select_radiographs(data), expected)


def test_the_order_of_the_table_does_not_matter(data: Path) -> None:
    before = select_radiographs(data)
    header, *rows = (data / "metadata.csv").read_text().splitlines()
    (data / "metadata.csv").write_text("\n".join([header, *reversed(rows)]) + "\n")
    assert np.array_equal(select_radiographs(data), before)


def test_a_data_set_without_test_split_is_refused(data: Path) -> None:
    lines = (data / "metadata.csv").read_text().splitlines()
    (data / "metadata.csv").write_text("\n".join(line for line in lines if not line.endswith(",test")) + "\n")
    with pytest.raises(DataSetError, match="no images in its test split"):
        select_radiographs(data)


def test_an_image_that_cannot_be_decoded_is_named(data: Path) -> None:
    (data / "test-covid19.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(DataSetError, match=r"test-covid19\.png cannot be a golden case"):
        select_radiographs(data)


def test_answers_are_what_the_networks_compute(data: Path, networks: tuple[Path, Path]) -> None:
    radiographs = select_radiographs(data)
    cases, files = answer(radiographs, filter_onnx=networks[0], classifier_onnx=networks[1])
    assert [case.accepted for case in cases] == [True, True, True, False, False, False]
    for case, radiograph in zip(cases, radiographs, strict=True):
        image = {"radiograph": radiograph[np.newaxis]}
        valid, accepted = reference(networks[0], image)
        assert case.valid_probability == pytest.approx(valid.item(), abs=1e-5)
        assert case.accepted == accepted.item()
        if case.accepted:
            probabilities = reference(networks[1], {**image, "accepted": accepted})[0]
            assert case.probabilities == pytest.approx(probabilities[0].tolist(), abs=1e-5)
        else:
            assert case.probabilities is None
        picture = np.asarray(Image.open(io.BytesIO(files[case.file])))
        assert np.array_equal(picture, radiograph[0])


def test_the_same_networks_always_promise_the_same(data: Path, networks: tuple[Path, Path]) -> None:
    radiographs = select_radiographs(data)
    first = answer(radiographs, filter_onnx=networks[0], classifier_onnx=networks[1])
    assert answer(radiographs, filter_onnx=networks[0], classifier_onnx=networks[1]) == first


@pytest.mark.parametrize("content", [None, b"another picture"])
def test_a_changed_or_missing_golden_file_is_refused(
    data: Path, networks: tuple[Path, Path], tmp_path: Path, content: bytes | None
) -> None:
    cases, files = answer(select_radiographs(data)[:1], filter_onnx=networks[0], classifier_onnx=networks[1])
    path = tmp_path / cases[0].file
    path.parent.mkdir()
    path.write_bytes(files[cases[0].file])
    assert read_files(tmp_path, cases) == files
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"golden/0\.png"):
        read_files(tmp_path, cases)
