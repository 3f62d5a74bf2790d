"""What tells two releases apart, against differences made by hand."""

import json
from dataclasses import replace

from tests.support.toy_record import network, toy_record
from training.promote.difference import Change, GoldenChange, compare_releases
from training.promote.golden import GoldenCase
from training.promote.release import Release, StoredRelease


def stored(number: int, release: Release) -> StoredRelease:
    return StoredRelease(number=number, release=release, golden_files={})


def case(image: str, *probabilities: float, valid: float = 0.9) -> GoldenCase:
    return GoldenCase(
        file=f"golden/{image}.png",
        sha256=image,
        valid_probability=valid,
        accepted=bool(probabilities),
        probabilities=probabilities or None,
    )


def test_a_release_does_not_differ_from_itself() -> None:
    difference = compare_releases(stored(1, toy_record()), stored(2, toy_record()))
    assert difference.is_empty
    assert (difference.first, difference.second) == (1, 2)


def test_every_pinned_thing_that_changed_is_named() -> None:
    before = toy_record()
    after = toy_record(
        filter=network(4).model_copy(update={"sha256": "cd" * 32, "temperature": 1.5}),
        thresholds={"lung_opacity": 0.4, "covid19": 0.7},
        decoder_digest="00" * 32,
    )
    changes = compare_releases(stored(1, before), stored(2, after)).changes
    assert changes == (
        Change(what="filter version", before=3, after=4),
        Change(what="filter SHA-256", before="ab" * 32, after="cd" * 32),
        Change(what="filter temperature", before=None, after=1.5),
        Change(what="threshold of covid19", before=0.6, after=0.7),
        Change(what="decoder", before="cd" * 32, after="00" * 32),
    )


def test_golden_cases_are_compared_by_their_images() -> None:
    before = toy_record(golden_cases=(case("a", 0.1, 0.2, 0.7), case("b"), case("c", 0.8, 0.1, 0.1)))
    after = toy_record(golden_cases=(case("b", 0.5, 0.3, 0.2), case("a", 0.1, 0.35, 0.55), case("d")))
    changes = compare_releases(stored(1, before), stored(2, after)).golden_changes
    assert [replace(change, largest_difference=None) for change in changes] == [
        GoldenChange(image="a", before="covid19", after="no_finding", largest_difference=None),
        GoldenChange(image="b", before="rejected", after="no_finding", largest_difference=None),
        GoldenChange(image="c", before="no_finding", after=None, largest_difference=None),
        GoldenChange(image="d", before=None, after="rejected", largest_difference=None),
    ]
    gaps = [change.largest_difference for change in changes]
    assert gaps[0] is not None
    assert abs(gaps[0] - 0.15) < 1e-12
    assert gaps[1:] == [0.0, None, None]
    assert [change.changes_decision for change in changes] == [True, True, False, False]


def test_rounding_is_no_change_of_an_answer() -> None:
    before = toy_record(golden_cases=(case("a", 0.1, 0.2, 0.7),))
    after = toy_record(golden_cases=(case("a", 0.1005, 0.2, 0.6995),))
    assert compare_releases(stored(1, before), stored(2, after)).golden_changes == ()
    further = toy_record(golden_cases=(case("a", 0.1, 0.21, 0.69),))
    (change,) = compare_releases(stored(1, before), stored(2, further)).golden_changes
    assert (change.before, change.after, change.changes_decision) == ("covid19", "covid19", False)


def test_another_operating_point_changes_a_decision_without_changing_a_probability() -> None:
    before = toy_record(golden_cases=(case("a", 0.1, 0.35, 0.55),))
    after = toy_record(
        golden_cases=(case("a", 0.1, 0.35, 0.55),), thresholds={"lung_opacity": 0.4, "covid19": 0.5}
    )
    (change,) = compare_releases(stored(1, before), stored(2, after)).golden_changes
    assert (change.before, change.after, change.largest_difference) == ("no_finding", "covid19", 0.0)


def test_the_record_is_json() -> None:
    difference = compare_releases(stored(1, toy_record()), stored(2, toy_record(filter_threshold=0.7)))
    assert json.loads(json.dumps(difference.record))["changes"] == [
        {"what": "filter threshold", "before": 0.5, "after": 0.7}
    ]
