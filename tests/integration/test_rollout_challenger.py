"""A challenger beside the champion: a second front door that comes, moves and goes, and is counted apart."""

import re

import pytest

from hilum.contract import CHALLENGER_SCREENING, CLASSIFIER, FILTER, MONITOR, SCREENING
from tests.support.rollout_site import RolloutSite
from tests.support.servers import scrape_settled
from tests.support.signed_answers import FIRST, SECOND, THIRD
from training.errors import RolloutError
from training.promote.rollout import RolloutResult


def test_a_challenger_comes_is_promoted_and_the_next_one_takes_its_place(serving_site: RolloutSite) -> None:
    first, second, third = (serving_site.releases.number(kind) for kind in (FIRST, SECOND, THIRD))
    with serving_site.hammered() as answers:
        result = serving_site.apply(first, challenger=second)
        assert result == RolloutResult(release=first, previous=first, challenger=second, outcome="loaded")
        serving_site.assert_serves_only(first, challenger=second)

        plan = serving_site.plan(second)
        assert [change.action for change in plan.networks] == ["drop", "drop"]
        assert list(plan.lines())[:2] == [
            f"champion: release {first} -> release {second}",
            f"challenger: release {second} goes, and its front door with it",
        ]
        assert serving_site.apply(second) == RolloutResult(
            release=second, previous=first, previous_challenger=second, outcome="loaded"
        )
        serving_site.assert_serves_only(second)

        assert serving_site.apply(second, challenger=third).previous_challenger is None
        assert serving_site.apply(second, challenger=first).previous_challenger == third
        serving_site.assert_serves_only(second, challenger=first)
    assert {answer.release for answer in answers} == {first, second}


def test_a_promoted_challenger_reloads_no_network(serving_site: RolloutSite) -> None:
    first, second = (serving_site.releases.number(kind) for kind in (FIRST, SECOND))
    serving_site.apply(first, challenger=second)
    log = serving_site.server.home / "triton.log"
    before = log.stat().st_size
    serving_site.apply(second)
    text = log.read_text()[before:]
    assert "TRITONBACKEND_ModelInstanceInitialize: xray_monitor" in text  # the log was looked at
    # Triton says "loading" of a version that stays, too: a network that is read again takes an initialize.
    assert not re.findall(rf"TRITONBACKEND_ModelInstanceInitialize: ({FILTER}|{CLASSIFIER})", text)


def test_copies_for_the_challenger_count_in_series_of_their_own(serving_site: RolloutSite) -> None:
    first, second = (serving_site.releases.number(kind) for kind in (FIRST, SECOND))
    serving_site.apply(first, challenger=second)
    before = scrape_settled(serving_site.server)
    serving_site.ask(door=CHALLENGER_SCREENING)
    with_copies = scrape_settled(serving_site.server)
    changed = {name for name, value in with_copies.items() if value != before.get(name, 0.0)}
    assert {name.split("{")[0] for name in changed if "decode_duration" not in name} == {
        "hilum_challenger_findings_total"
    }
    assert all(f'release="{second}"' in name for name in changed if "findings" in name)
    serving_site.ask(door=SCREENING)
    after = scrape_settled(serving_site.server)
    assert after['hilum_images_total{outcome="accepted"}'] > before['hilum_images_total{outcome="accepted"}']


def test_a_challenger_that_breaks_its_promise_leaves_everything_as_it_was(serving_site: RolloutSite) -> None:
    first, forged = serving_site.releases.number(FIRST), serving_site.releases.promise_breaker()
    with pytest.raises(RolloutError, match=rf"(?s)Release {forged} does not answer as promised.*as before"):
        serving_site.apply(first, challenger=forged)
    serving_site.assert_serves_only(first)
    assert not (serving_site.live / CHALLENGER_SCREENING).exists()
    assert [path.name for path in (serving_site.live / MONITOR).iterdir() if path.is_dir()] == [str(first)]
    assert serving_site.entries()[-1][:3] == ("rollout_failed", first, forged)
