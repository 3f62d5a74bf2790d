"""Promotions and rollbacks under load: no request fails, and none is answered by two releases."""

from tests.support.rollout_site import RolloutSite
from tests.support.signed_answers import FIRST, SECOND, THIRD

IN_FLIGHT = 8
"""Requests at any time."""


def test_promotions_and_rollbacks_lose_and_mix_nothing(serving_site: RolloutSite) -> None:
    """Four that load and drop networks, then four between two releases that stay loaded.

    `python -m tests.bench rollout` makes more of the first kind.
    """
    first, second, third = (serving_site.releases.number(kind) for kind in (FIRST, SECOND, THIRD))
    lineups = [(second, None), (first, third), (second, first), (first, second)]
    lineups += [(second, first), (first, second)] * 2
    with serving_site.hammered(callers=IN_FLIGHT, pause_s=0.0) as answers:
        for champion, challenger in lineups:
            assert serving_site.apply(champion, challenger).outcome == "loaded"
            assert serving_site.ask().release == champion
    assert {answer.release for answer in answers} == {first, second}
    assert len(answers) > len(lineups) * IN_FLIGHT
    serving_site.assert_serves_only(first, challenger=second)
    kinds = [kind for kind, *_ in serving_site.entries()]
    assert kinds[-2 * len(lineups) :] == ["rollout_began", "rolled_out"] * len(lineups)
