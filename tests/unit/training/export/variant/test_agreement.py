"""What makes two files agree: values, rejected rows, decisions; and what is refused."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from hilum.contract import CLASSIFIER, FILTER, LABELS
from hilum.operating_point import OperatingPoint
from tests.support.toy_conv import conv_classifier
from tests.support.toy_release import save_onnx
from training.errors import ParityError
from training.export.variant.agreement import (
    ask,
    check_blank_rows,
    check_policy,
    check_rows,
    compare_decisions,
    compare_values,
    decision_margin,
    onnx_answers,
)
from training.export.variant.policy import POLICIES, VariantPolicy
from training.export.variant.sample import ImageSample

POINT = OperatingPoint({"lung_opacity": 0.4, "covid19": 0.3})
TAGS = {"hilum.operating_point": json.dumps(dict(POINT.thresholds)), "hilum.threshold": "0.5"}
POLICY = VariantPolicy(probability=0.01, of_largest=0.1, borderline=0.01, agreement=0.9)


def sample(count: int = 11) -> ImageSample:
    radiographs = np.random.default_rng(0).integers(0, 256, (count, 1, 256, 256), dtype=np.uint8)
    return ImageSample(split="val", digests=tuple(map(str, range(count))), radiographs=radiographs)


def _floats(rows: list[list[float]]) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(rows, dtype=np.float32)


def probabilities(*rows: tuple[float, float, float]) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    return {"probabilities": np.array(rows, dtype=np.float32)}


def test_every_image_is_asked_in_order(tmp_path: Path) -> None:
    answer = onnx_answers(save_onnx(conv_classifier(), tmp_path / "model.onnx"))
    images = sample()
    whole = answer(images.radiographs, np.ones((11, 1), dtype=np.bool_))
    for name, value in ask(answer, images).items():
        np.testing.assert_allclose(value, whole[name], atol=1e-6)


def test_a_gated_network_keeps_its_rows(tmp_path: Path) -> None:
    answer = onnx_answers(save_onnx(conv_classifier(), tmp_path / "model.onnx"))
    check_rows(answer, sample(2))


@pytest.mark.parametrize("spoilt", [0, 1])
def test_nan_in_another_row_than_the_rejected_is_refused(spoilt: int) -> None:
    value = np.array([[0.2, 0.3, 0.5], [np.nan] * 3, [0.1, 0.1, 0.8]], dtype=np.float32)
    accepted = np.array([[True], [False], [True]])
    check_blank_rows({"probabilities": value}, accepted)
    value[spoilt, 1] = np.nan if spoilt == 0 else 0.5
    with pytest.raises(ParityError, match=r"`probabilities` .* accepted rows \[True, False, True\]"):
        check_blank_rows({"probabilities": value}, accepted)


def test_probabilities_differ_absolutely_and_maps_by_their_largest() -> None:
    reference = {"probabilities": _floats([[0.5, 0.5]]), "embedding": _floats([[-20.0, 4.0]])}
    found = {"probabilities": _floats([[0.52, 0.48]]), "embedding": _floats([[-19.0, 4.5]])}
    by_output = {row.output: row for row in compare_values(reference, found, POLICY)}
    assert by_output["probabilities"].max_difference == pytest.approx(0.02, rel=1e-4)
    assert by_output["embedding"].max_difference == pytest.approx(1 / 20)
    assert (by_output["probabilities"].allowed, by_output["embedding"].allowed) == (0.01, 0.1)


def test_decisions_are_counted_with_their_interval() -> None:
    reference = probabilities((0.9, 0.05, 0.05), (0.2, 0.6, 0.2), (0.1, 0.395, 0.2), (0.1, 0.1, 0.8))
    found = probabilities((0.9, 0.05, 0.05), (0.65, 0.25, 0.1), (0.1, 0.401, 0.2), (0.1, 0.1, 0.8))
    decisions = compare_decisions(CLASSIFIER, TAGS, reference, found, "abcd", POLICY)
    assert (decisions.images, decisions.agreed, decisions.rate) == (4, 2, 0.5)
    assert (decisions.lower, decisions.upper) == pytest.approx(proportion_confint(2, 4, method="wilson"))
    clear, near = decisions.disagreements
    assert (clear.digest, clear.reference, clear.found, clear.borderline) == (
        "b",
        "lung_opacity",
        "no_finding",
        False,
    )
    assert (near.digest, near.borderline) == ("c", True)
    assert near.margin == pytest.approx(0.005, abs=1e-6)


def test_a_filter_decides_by_its_own_output() -> None:
    reference = {"valid_probability": _floats([[0.6], [0.499]]), "accepted": np.array([[True], [False]])}
    found = {"valid_probability": _floats([[0.6], [0.501]]), "accepted": np.array([[True], [True]])}
    decisions = compare_decisions(FILTER, TAGS, reference, found, "ab", POLICY)
    (case,) = decisions.disagreements
    assert (case.reference, case.found, case.borderline) == ("rejected", "accepted", True)


@pytest.mark.parametrize("row", [(0.5, 0.3, 0.2), (0.1, 0.5, 0.4), (0.2, 0.41, 0.39), (0.1, 0.3, 0.6)])
def test_the_margin_is_what_turns_a_decision(row: tuple[float, float, float]) -> None:
    """Brute force, moving both findings: just below the margin nothing turns, just above something does."""
    margin = decision_margin(POINT, list(row))

    def turns(step: float) -> bool:
        moved = [
            POINT.finding([row[0], row[1] + a * step, row[2] + b * step])
            for a, b in itertools.product((-1, 0, 1), repeat=2)
        ]
        return any(finding != POINT.finding(row) for finding in moved)

    assert not turns(margin * 0.999)
    # A threshold may also be crossed by the finding that is not reported, which decides nothing.
    assert turns(margin * 1.001) or margin == pytest.approx(
        min(abs(row[LABELS.index(f)] - t) for f, t in POINT.thresholds.items())
    )


def test_borderline_decisions_are_excused_and_others_are_not() -> None:
    same = [(0.9, 0.05, 0.05)] * 8
    near = compare_decisions(
        CLASSIFIER,
        TAGS,
        probabilities(*same, (0.1, 0.395, 0.2), (0.1, 0.395, 0.2)),
        probabilities(*same, (0.1, 0.401, 0.2), (0.1, 0.401, 0.2)),
        "abcdefghij",
        POLICY,
    )
    check_policy("it", (), near, POLICY)
    clear = near.model_copy(
        update={
            "disagreements": tuple(c.model_copy(update={"borderline": False}) for c in near.disagreements)
        }
    )
    with pytest.raises(ParityError, match=r"it: 8 of 10 images are decided .* 0 more are\s+borderline"):
        check_policy("it", (), clear, POLICY)


@pytest.mark.parametrize("difference", [0.011, float("nan")])
def test_values_beyond_the_policy_are_refused(difference: float) -> None:
    decisions = compare_decisions(
        CLASSIFIER, TAGS, probabilities((0.9, 0.05, 0.05)), probabilities((0.9, 0.05, 0.05)), "a", POLICY
    )
    values = compare_values(probabilities((0.5, 0.5, 0.0)), probabilities((0.5, 0.5, 0.0)), POLICY)
    check_policy("it", values, decisions, POLICY)
    spoilt = [values[0].model_copy(update={"max_difference": difference})]
    with pytest.raises(ParityError, match=r"it: `probabilities` differs by up to"):
        check_policy("it", spoilt, decisions, POLICY)


def test_less_precision_is_allowed_more_and_fp16_no_clear_change_of_mind() -> None:
    fp32, fp16, int8 = (POLICIES[precision] for precision in ("fp32", "fp16", "int8"))
    assert fp32.probability < fp16.probability < int8.probability
    assert fp16.agreement == 1.0
    assert int8.borderline == 0.0


def test_a_file_that_cannot_answer_a_batch_is_refused(tmp_path: Path) -> None:
    path = save_onnx(conv_classifier(), tmp_path / "model.onnx")
    answer = onnx_answers(path)
    with pytest.raises(ParityError, match=r"model\.onnx: ONNX Runtime .* cannot answer a batch of 2"):
        answer(np.zeros((2, 1, 8, 8), dtype=np.uint8), np.ones((2, 1), dtype=np.bool_))
