"""What drift is seen by, from the release to Triton's metrics: exact counts, and the sample beside them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from hilum.contract import CHALLENGER_SCREENING, CLASSIFIER, FILTER, FINDINGS, LABELS, MONITOR
from hilum.reference import (
    DISTANCE_BOUNDS,
    PROBABILITY_BOUNDS,
    SIGNALS,
    EmbeddingDistance,
    Reference,
    SignalCounts,
)
from hilum.triton.errors import ServerFailedError
from hilum.triton.process import running
from hilum.triton.server import TritonServer
from tests.support.front_door import ask_directly, ask_front_door
from tests.support.image_files import encoded
from tests.support.prometheus_text import by_bound, samples
from tests.support.rollout_site import RolloutSite
from tests.support.servers import RunningToys, scrape, scrape_settled
from tests.support.signed_answers import FIRST
from tests.support.toy_data import write_toy_data
from tests.support.toy_models import toy_classifier, toy_filter
from tests.support.toy_release import save_onnx, toy_release
from training.promote.reference import build_reference
from training.promote.release import fetch_release
from training.repository.layout import write_lineup
from training.repository.served_release import Lineup


def picture(seed: int) -> bytes:
    """Return a picture of 8 x 8 gray cells, brighter with each seed."""
    cells = np.random.default_rng(seed).integers(0, 20 + 14 * seed, (8, 8), dtype=np.uint8)
    return encoded(cells.repeat(32, axis=0).repeat(32, axis=1), "PNG")


IMAGES = [picture(seed) for seed in range(16)]
"""From dark to bright: the filter rejects the first ones."""


class Served(NamedTuple):
    """A Triton that serves release 1, with release 2 as its challenger, both with the same reference."""

    server: TritonServer
    reference: Reference


@pytest.fixture(scope="module")
def served(
    make_server: Callable[[Path], TritonServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("drift")
    filter_onnx = save_onnx(toy_filter(), folder / "filter.onnx")
    classifier_onnx = save_onnx(toy_classifier(), folder / "classifier.onnx")
    reference = build_reference(
        write_toy_data(folder / "data"), filter_onnx=filter_onnx, classifier_onnx=classifier_onnx
    )
    assert reference is not None
    write_lineup(
        folder / "model_repository",
        Lineup(champion=toy_release(1), challenger=toy_release(2)),
        networks={(FILTER, 1): filter_onnx, (CLASSIFIER, 1): classifier_onnx},
        references={1: reference.to_json(), 2: reference.to_json()},
    )
    server = make_server(folder / "model_repository")
    with running(server, server.home / "triton.log"):
        yield Served(server, reference)


def histogram_of(signal: str) -> tuple[str, dict[str, str]]:
    """Return the name and labels of the histogram that a signal is observed in."""
    if signal in FINDINGS:
        return "hilum_finding_probability", {"finding": signal}
    return f"hilum_{signal}", {}


def expected_values(served: Served, images: list[bytes]) -> dict[str, NDArray[np.float32]]:
    """Return what each signal should have been observed as, from ONNX Runtime alone."""
    direct = ask_directly(served.server.repository, images)
    accepted = direct["accepted"][:, 0]
    distance = EmbeddingDistance(served.reference)
    return {
        "valid_probability": direct["valid_probability"][:, 0],
        **{finding: direct["probabilities"][accepted, LABELS.index(finding)] for finding in FINDINGS},
        "embedding_distance": distance(direct["embedding"][accepted]),
    }


def test_served_images_move_each_histogram_by_exactly_what_was_sent(served: Served) -> None:
    before = scrape_settled(served.server)
    for first in range(0, len(IMAGES), 5):  # batches of several sizes
        ask_front_door(served.server.addresses.grpc, IMAGES[first : first + 5])
    after = scrape_settled(served.server)
    for signal, values in expected_values(served, IMAGES).items():
        name, labels = histogram_of(signal)
        counts = SignalCounts.of(values, served.reference.signals[signal].bounds)
        cumulative = dict(zip(counts.shares, np.cumsum(counts.counts).tolist(), strict=True))
        buckets = [by_bound(each, f"{name}_bucket", release="1", **labels) for each in (before, after)]
        assert {le: buckets[1][le] - buckets[0][le] for le in buckets[1]} == cumulative, signal
        (total_before,), (total,) = (
            samples(each, f"{name}_sum", release="1", **labels) for each in (before, after)
        )
        assert total.value - total_before.value == pytest.approx(float(values.sum()), rel=1e-5)
    assert 0 < len(expected_values(served, IMAGES)["covid19"]) < len(IMAGES)


def test_the_gauges_are_the_reference_sample_at_the_histograms_own_bounds(served: Served) -> None:
    series = scrape(served.server)
    for release in ("1", "2"):
        for signal in SIGNALS:
            name, labels = histogram_of(signal)
            shares = by_bound(series, "hilum_reference_share", release=release, signal=signal)
            assert shares == pytest.approx(served.reference.signals[signal].shares)
            assert set(shares) == set(by_bound(series, f"{name}_bucket", release=release, **labels))
            (images,) = samples(series, "hilum_reference_images", release=release, signal=signal)
            assert images.value == served.reference.signals[signal].images == 3
    assert len(samples(series, "hilum_reference_images")) == 2 * len(SIGNALS)


def test_bounds_are_printed_by_triton_as_by_us(served: Served) -> None:
    series = scrape(served.server)
    for name, bounds in (
        ("hilum_valid_probability_bucket", PROBABILITY_BOUNDS),
        ("hilum_embedding_distance_bucket", DISTANCE_BOUNDS),
    ):
        assert list(by_bound(series, name, release="1")) == [*map(repr, bounds), "+Inf"]


def test_copies_for_a_challenger_move_no_signal(served: Served) -> None:
    before = scrape_settled(served.server)
    ask_front_door(served.server.addresses.grpc, IMAGES, model=CHALLENGER_SCREENING)
    after = scrape_settled(served.server)
    grown = {name for name in after if after[name] != before.get(name, 0)}
    assert any(name.startswith("hilum_challenger_findings_total") for name in grown)
    assert not any(
        name.startswith(("hilum_valid_", "hilum_finding_", "hilum_embedding_", "hilum_reference_"))
        for name in grown
    )


def test_a_release_without_a_reference_serves_and_shows_none(toy_server: RunningToys) -> None:
    ask_front_door(toy_server.address, IMAGES)
    series = scrape_settled(toy_server.server)
    assert by_bound(series, "hilum_valid_probability_bucket", release="1")["+Inf"] >= len(IMAGES)
    assert samples(series, "hilum_embedding_distance_bucket") == []
    assert samples(series, "hilum_reference_share") == []


def test_a_reference_that_cannot_be_read_is_named_when_the_server_starts(
    toy_repository: Callable[[], Path], make_server: Callable[[Path], TritonServer]
) -> None:
    repository = toy_repository()
    (repository / MONITOR / "1" / "reference.json").write_text("{}")
    server = make_server(repository)
    with (
        pytest.raises(ServerFailedError, match=r"reference\.json is not a reference sample"),
        running(server, server.home / "triton.log"),
    ):
        pass


def test_a_rollout_brings_the_releases_reference_and_mends_a_damaged_one(serving_site: RolloutSite) -> None:
    number = serving_site.releases.number(FIRST)
    stored = fetch_release(serving_site.releases.registry, number)
    assert stored.reference is not None
    path = serving_site.live / MONITOR / str(number) / "reference.json"
    assert path.read_bytes() == stored.reference
    counts = Reference.from_json(stored.reference).signals["covid19"]
    shares = by_bound(
        scrape(serving_site.server), "hilum_reference_share", release=str(number), signal="covid19"
    )
    assert shares == pytest.approx(counts.shares)
    path.write_text("torn")
    problems = serving_site.verify(number).problems
    assert any("reference.json is missing, or not what the release pins" in each for each in problems)
    serving_site.apply(number)
    assert path.read_bytes() == stored.reference
    serving_site.assert_serves_only(number)
