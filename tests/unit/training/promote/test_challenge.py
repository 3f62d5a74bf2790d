"""What pairs say of a challenger, on cases counted by hand."""

import pytest

from hilum.paired_answers import Pair
from tests.support.paired_answers import pair
from training.evaluate.mcnemar import mcnemar_test
from training.evaluate.sequential import sequential_test
from training.promote.challenge import ANSWERS, by_releases, judge_challenger

COUNTED = [
    *(pair(i, "no_finding", "no_finding") for i in range(10)),
    *(pair(i, "covid19", "covid19") for i in range(10, 13)),
    *(pair(i, "no_finding", "covid19") for i in range(13, 15)),
    pair(15, "covid19", "lung_opacity"),
    pair(16, "rejected", "no_finding"),
    pair(17, "rejected", "rejected"),
]


def test_answers_are_counted() -> None:
    challenge = judge_challenger(COUNTED)
    assert (challenge.champion, challenge.challenger, challenge.n) == (1, 2, 18)
    assert challenge.agreement.value == pytest.approx(14 / 18)
    assert ANSWERS == ("no_finding", "lung_opacity", "covid19", "rejected")
    assert challenge.table == ((10, 0, 2, 0), (0, 0, 0, 0), (0, 1, 3, 0), (1, 0, 0, 1))
    opacity, covid, rejected = challenge.reported
    counts = [(r.both, r.only_champion, r.only_challenger, r.neither) for r in challenge.reported]
    assert [r.answer for r in (opacity, covid, rejected)] == ["lung_opacity", "covid19", "rejected"]
    assert counts == [(0, 0, 1, 17), (3, 1, 2, 12), (1, 1, 0, 16)]
    assert covid.difference == pytest.approx(1 / 18)
    assert (covid.lower, covid.upper) == pytest.approx(
        (mcnemar_test(18, only_a=1, only_b=2).lower, mcnemar_test(18, only_a=1, only_b=2).upper)
    )
    assert covid.disagreement.value == pytest.approx(3 / 18)
    assert challenge.latency_s == (0.1, 0.2)
    assert "too early to say: 3 of them" in challenge.sentence


def test_an_image_counts_once_however_often_it_was_submitted() -> None:
    again = [pair(0, "no_finding", "covid19", minute=100 + i) for i in range(50)]
    once, challenge = judge_challenger(COUNTED), judge_challenger([*COUNTED, *again])
    assert (challenge.n, challenge.repeated, challenge.table) == (18, 50, once.table)
    assert [r.p_adjusted for r in challenge.reported] == [r.p_adjusted for r in once.reported]


def test_an_image_that_the_challenger_failed_on_first_counts_by_its_later_answer() -> None:
    pairs = [pair(0, "covid19", None), pair(1, "covid19", None), pair(0, "covid19", "covid19", minute=2)]
    [group] = by_releases(pairs).values()
    challenge = judge_challenger(group)
    assert (challenge.n, challenge.failed, challenge.repeated) == (1, 1, 0)
    assert challenge.errors == {"DeadlineExceededError": 2}


def test_releases_are_told_apart_and_time_orders_them() -> None:
    pairs = [
        pair(0, "covid19", "covid19", releases=(2, 3)),
        pair(1, "covid19", None, releases=(1, 2), minute=-1),  # before any answer: the next challenger's
        pair(2, "covid19", "covid19", releases=(1, 2), minute=-0.5),
        pair(3, "covid19", None, releases=(2, 3)),  # after an answer: the last challenger's
        pair(4, "covid19", "covid19", releases=(2, 4)),
        pair(5, "covid19", None, releases=(9, 1)),  # beside no challenger that ever answered
    ]
    images = {
        releases: [pairs.index(found) for found in group]
        for releases, group in by_releases(reversed(pairs)).items()
    }
    assert images == {(1, 2): [1, 2], (2, 3): [0, 3], (2, 4): [4]}


def alternating(n: int) -> list[Pair]:
    """Return pairs in which each reports an opacity where the other finds nothing, in turn."""
    said = ("lung_opacity", "no_finding")
    return [pair(i, said[i % 2], said[1 - i % 2]) for i in range(n)]


def test_a_challenger_that_reports_more_is_found_out() -> None:
    more = [pair(i, "no_finding", "covid19") for i in range(30)]
    challenge = judge_challenger(
        [*COUNTED[:2], *(p for p in more if p.image not in {q.image for q in COUNTED[:2]})]
    )
    covid = challenge.reported[1]
    a = [False] * 30
    b = [False, False] + [True] * 28
    assert covid.sequential == sequential_test(a, b)
    assert covid.p_adjusted == pytest.approx(3 * covid.sequential.p_value)
    assert "does not report covid19 (28 images, 0 by the champion) as often" in challenge.sentence


def test_a_challenger_that_errs_to_both_sides_is_not() -> None:
    challenge = judge_challenger(alternating(40))
    opacity = challenge.reported[0]
    assert (opacity.only_champion, opacity.only_challenger) == (20, 20)
    assert challenge.agreement.value == 0
    assert "nothing shows that one release reports a finding" in challenge.sentence


def test_ten_images_on_one_side_are_the_fewest_that_can_decide() -> None:
    def sentence(n: int) -> str:
        return judge_challenger([pair(i, "no_finding", "covid19") for i in range(n)]).sentence

    assert "too early to say: 9 of them" in sentence(9)
    assert "does not report covid19" in sentence(10)
