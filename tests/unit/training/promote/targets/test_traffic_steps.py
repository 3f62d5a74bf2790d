"""From wherever an InferenceService is, the steps lead to the goal, and nothing unready is ever asked."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.promote.targets.inference_service import Traffic, mode_of
from training.promote.targets.traffic_steps import Goal, next_step, release_uri

STORAGE = "s3://models/releases"
RELEASES = st.integers(1, 4)
PERCENTS = st.integers(0, 100)


def predictor(release: int) -> dict[str, Any]:
    return {"model": {"modelFormat": {"name": "triton"}, "storageUri": release_uri(STORAGE, release)}}


@st.composite
def standard_services(draw: st.DrawFn) -> dict[str, Any]:
    stable = draw(RELEASES)
    beside = draw(st.dictionaries(RELEASES.filter(lambda release: release != stable), st.integers(0, 30)))
    canaries = [
        {"predictor": {"name": f"release-{release}", **predictor(release)}, "trafficPercent": percent}
        for release, percent in beside.items()
    ]
    return {
        "metadata": {"name": "hilum", "annotations": {"serving.kserve.io/deploymentMode": "Standard"}},
        "spec": {"predictor": predictor(stable), **({"canary": canaries} if canaries else {})},
    }


@st.composite
def knative_services(draw: st.DrawFn) -> dict[str, Any]:
    newest, stable = draw(st.lists(RELEASES, min_size=2, max_size=2, unique=True))
    percent = draw(st.none() | PERCENTS)
    noted = draw(st.sampled_from([str(stable), ""]))
    return {
        "metadata": {
            "name": "hilum",
            "annotations": {"serving.kserve.io/deploymentMode": "Knative", "hilum/champion": noted},
        },
        "spec": {
            "predictor": {
                **predictor(newest),
                **({} if percent is None else {"canaryTrafficPercent": percent}),
            }
        },
    }


@st.composite
def goals(draw: st.DrawFn) -> Goal:
    champion = draw(RELEASES)
    challenger = draw(st.none() | RELEASES.filter(lambda release: release != champion))
    return Goal(champion=champion, challenger=challenger, percent=draw(PERCENTS), storage=STORAGE)


@given(service=standard_services() | knative_services(), goal=goals())
def test_the_steps_lead_to_the_goal_and_only_what_runs_gets_traffic(
    service: dict[str, Any], goal: Goal
) -> None:
    mode = mode_of(service)
    for _ in range(12):
        step = next_step(service, goal)
        if step is None:
            break
        before, after = mode.traffic(service), mode.traffic(step.service)
        asked = {release for release, percent in after.canaries.items() if percent > 0}
        assert asked <= set(before.canaries) | {before.stable}
        assert after.stable in {before.stable, *before.canaries, goal.champion}
        if after.stable != before.stable:
            assert after.stable in before.canaries, "it ran before it took over"
        assert sum(after.canaries.values()) <= 100
        service = step.service
    assert next_step(service, goal) is None
    canaries = {} if goal.challenger is None else {goal.challenger: goal.percent}
    assert mode.traffic(service) == Traffic(stable=goal.champion, canaries=canaries)


@pytest.mark.parametrize("mode", ["Standard", "Knative"])
def test_a_predictor_of_somebody_else_gives_way_once_the_champion_runs(mode: str) -> None:
    service: dict[str, Any] = {
        "metadata": {"name": "hilum", "annotations": {"serving.kserve.io/deploymentMode": mode}},
        "spec": {"predictor": {"model": {"storageUri": "gs://examples/flowers"}}},
    }
    goal = Goal(champion=3, challenger=None, percent=10, storage=STORAGE)
    sentences = []
    while step := next_step(service, goal):
        sentences.append(step.sentence)
        service = step.service
    assert sentences == ["Release 3 starts, without traffic.", "Release 3 takes over."]
