"""The reference sample: counts against numpy's, distances against scipy's, and one text for one sample."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import seuclidean
from scipy.stats import ks_2samp

from hilum.errors import UsageError
from hilum.reference import (
    DISTANCE_BOUNDS,
    LEAST_DEVIATION,
    PROBABILITY_BOUNDS,
    SIGNALS,
    EmbeddingDistance,
    Reference,
    SignalCounts,
    embedding_scale,
)


def sample(**changes: Any) -> Reference:
    counts = SignalCounts.of([0.2, 0.7], PROBABILITY_BOUNDS)
    values: dict[str, Any] = {
        "split": "val",
        "signals": dict.fromkeys(SIGNALS, counts),
        "mean": (0.5, -1.0, 3.0),
        "deviation": (1.0, 0.25, 2.0),
    }
    return Reference(**values | changes)


def test_a_value_on_a_bound_counts_below_it_as_in_prometheus() -> None:
    counts = SignalCounts.of([0.1, float(np.float32(0.1)), 0.100001, 0.5, 0.51], (0.1, 0.5))
    assert counts.counts == (1, 3, 1)  # 0.1 as a float32 is a little more
    assert counts.images == 5
    assert counts.shares == pytest.approx({"0.1": 0.2, "0.5": 0.8, "+Inf": 1.0})


@pytest.mark.parametrize("bounds", [PROBABILITY_BOUNDS, DISTANCE_BOUNDS])
def test_counts_are_those_of_numpy(bounds: tuple[float, ...]) -> None:
    values = np.random.default_rng(1).gamma(2, 0.3, 1000)
    expected, _ = np.histogram(values, [-np.inf, *np.nextafter(bounds, np.inf), np.inf])
    assert SignalCounts.of(values, bounds).counts == tuple(expected)


@pytest.mark.parametrize("seed", range(5))
def test_the_largest_gap_of_shares_is_scipys_distance_of_the_rounded_values(seed: int) -> None:
    """Values moved up to their bucket's bound have the shares of the buckets, and no gap between bounds."""
    random = np.random.default_rng(seed)
    first, second = random.beta(0.5, 0.5, 300), random.beta(0.6, 0.4, 700)
    ours = [SignalCounts.of(values, PROBABILITY_BOUNDS).shares for values in (first, second)]
    largest = max(abs(ours[0][le] - ours[1][le]) for le in ours[0])
    tops = np.array([*PROBABILITY_BOUNDS, 1.0])
    rounded = [tops[np.searchsorted(PROBABILITY_BOUNDS, values)] for values in (first, second)]
    assert largest == pytest.approx(ks_2samp(rounded[0], rounded[1]).statistic)
    assert largest <= ks_2samp(first, second).statistic + 1e-12  # so it errs on the side of no alarm


@pytest.mark.parametrize("bound", [*PROBABILITY_BOUNDS, *DISTANCE_BOUNDS])
def test_prometheus_3_would_not_rename_a_bound(bound: float) -> None:
    """It rewrites the le of a histogram as Go prints a float: in the fewest digits, like repr; 1 as 1.0."""
    (label, last) = SignalCounts.of([0.5], (bound,)).shares
    assert label == repr(bound)
    assert "." in label
    assert not label.endswith(".0")
    assert last == "+Inf"


def test_the_distance_is_scipys_standardised_one_over_the_root_of_the_dimensions() -> None:
    reference = sample()
    embeddings = np.random.default_rng(2).normal(1, 2, (50, 3)).astype(np.float32)
    expected = [
        seuclidean(row, reference.mean, np.square(reference.deviation)) / np.sqrt(3) for row in embeddings
    ]
    np.testing.assert_allclose(EmbeddingDistance(reference)(embeddings), expected, rtol=1e-5)


def test_a_dimension_that_hardly_varies_weighs_no_more_than_its_floor() -> None:
    assert embedding_scale([2.0, 2.0, 0.0]).tolist() == [2, 2, 2 * LEAST_DEVIATION]
    assert (embedding_scale(np.zeros(4)) > 0).all()


def test_a_sample_survives_its_text_and_has_one() -> None:
    text = sample().to_json()
    assert Reference.from_json(text) == sample()
    assert Reference.from_json(text).to_json() == text


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record.pop("embedding"),
        lambda record: record["signals"].pop("covid19"),
        lambda record: record["signals"]["covid19"].update(counts=[1, 2]),
        lambda record: record["signals"]["covid19"]["counts"].__setitem__(0, -1),
        lambda record: record["signals"]["covid19"].update(bounds="all"),
        lambda record: record["embedding"]["mean"].pop(),
        lambda record: record["embedding"]["mean"].__setitem__(0, float("nan")),
        lambda record: record["embedding"].update(mean=[], deviation=[]),
    ],
)
def test_another_text_is_refused(spoil: Callable[[dict[str, Any]], object]) -> None:
    record = json.loads(sample().to_json())
    spoil(record)
    with pytest.raises(UsageError, match=r"reference\.json is not a reference sample"):
        Reference.from_json(json.dumps(record).encode())


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"null"])
def test_rubbish_is_refused(content: bytes) -> None:
    with pytest.raises(UsageError, match=r"reference\.json is not a reference sample"):
        Reference.from_json(content)


def test_a_signal_without_an_image_has_no_shares() -> None:
    with pytest.raises(UsageError, match="and an image"):
        SignalCounts(bounds=(0.5,), counts=(0, 0))
