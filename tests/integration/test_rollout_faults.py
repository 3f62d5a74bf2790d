"""Whatever ends a rollout: one whole release answers, `verify` says which, and the next rollout converges."""

import itertools
import os
import signal

import pytest

from hilum.contract import CLASSIFIER, SCREENING
from tests.support.rollout_site import RolloutSite
from tests.support.signed_answers import FIRST, SECOND
from tests.support.troubled_rollout import Errand, run, start
from training.errors import RolloutError
from training.export.passport import passport_path
from training.promote.triton_control import TritonControl
from training.repository.lint import lint_repository

LONGEST_ROLLOUT = 100
"""Steps; a matrix that has not come to its end by then is broken."""

LEAST_STEPS = 10
"""A matrix with fewer has lost its steps."""

LEFT_OVER = ("does not list it", "Nothing serves this folder")
"""Defects that keep no server from loading a repository."""


def assert_whole(site: RolloutSite, allowed: set[int], wanted: tuple[int, int | None]) -> None:
    """Check the server that went on, what a server that starts now would find, and that `verify` knows."""
    answering = site.ask().release
    assert answering in allowed
    assert [d for d in lint_repository(site.live) if not any(text in d.problem for text in LEFT_OVER)] == []
    verification = site.verify(*wanted)
    champion, challenger = verification.roles
    assert champion.server == answering
    if verification.is_passed:
        assert (champion.server, challenger.server) == wanted
    elif answering != wanted[0]:
        sentence = f"The registry's champion is release {wanted[0]}; release {answering} answers as champion."
        assert sentence in verification.problems


def test_a_kill_at_every_step_leaves_one_whole_release_and_is_finished(
    serving_site: RolloutSite, mlflow_server: str
) -> None:
    """Back and forth between a champion with a challenger, and that challenger promoted.

    The kills at every rename, without a server, are in `tests/unit/training/promote/test_swap.py`.
    """
    first, second = (serving_site.releases.number(kind) for kind in (FIRST, SECOND))
    lineups = ((second, None), (first, second))
    serving_site.apply(*lineups[-1])
    steps = dict.fromkeys(lineups, 1)
    unfinished = set(lineups)
    for target in itertools.cycle(lineups):
        assert steps[target] < LONGEST_ROLLOUT
        status = run(Errand.at(serving_site, mlflow_server, *target, step=steps[target]))
        if status == 0:
            unfinished.discard(target)
            if not unfinished:
                break
            continue
        assert status == -signal.SIGKILL
        steps[target] += 1
        assert_whole(serving_site, {first, second}, target)
        serving_site.apply(*target)
        assert serving_site.ask().release == target[0]
    assert min(steps.values()) > LEAST_STEPS
    serving_site.assert_serves_only(*target)


def test_a_disk_that_fills_up_leaves_the_old_release(serving_site: RolloutSite, mlflow_server: str) -> None:
    first, second = (serving_site.releases.number(kind) for kind in (FIRST, SECOND))
    for step in (3, 6):
        serving_site.apply(first)
        assert run(Errand.at(serving_site, mlflow_server, second, step=step, trouble="full_disk")) == 1
        assert_whole(serving_site, {first}, (second, None))
        serving_site.apply(second)
        serving_site.assert_serves_only(second)


def test_triton_killed_while_it_loads_comes_back_with_a_whole_release(
    rollout_site: RolloutSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (rollout_site.releases.number(kind) for kind in (FIRST, SECOND))
    rollout_site.apply(first)
    load = TritonControl.load
    with rollout_site.triton() as process:

        def killing_load(self: TritonControl, model: str) -> None:
            if model == SCREENING:
                os.killpg(process.pid, signal.SIGKILL)
            load(self, model)

        monkeypatch.setattr(TritonControl, "load", killing_load)
        with pytest.raises(RolloutError, match=f"could not load {SCREENING}"):
            rollout_site.apply(second)
        assert "does not answer" in str(rollout_site.verify(second).problems)
        monkeypatch.undo()
    with rollout_site.triton():
        assert_whole(rollout_site, {first, second}, (second, None))
        rollout_site.apply(second)
        rollout_site.assert_serves_only(second)


@pytest.mark.parametrize("damage", ["truncated", "changed", "removed"])
def test_a_damaged_network_is_named_and_replaced(serving_site: RolloutSite, damage: str) -> None:
    first = serving_site.releases.number(FIRST)
    (path,) = (serving_site.live / CLASSIFIER).glob("*/model.onnx")
    content = path.read_bytes()
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(content[:100] if damage == "truncated" else content.replace(b"gain", b"pain"))
    name = f"{CLASSIFIER}/{path.parent.name}/model.onnx"
    problems = serving_site.verify(first).problems
    assert len(problems) == 1
    assert f"Disk: {name} is {'missing' if damage == 'removed' else 'damaged'}" in problems[0]
    assert not serving_site.plan(first).is_empty
    with serving_site.hammered() as answers:
        serving_site.apply(first)
    assert {answer.release for answer in answers} == {first}
    assert path.read_bytes() == content
    serving_site.assert_serves_only(first)


def test_a_damaged_passport_is_named_and_replaced(serving_site: RolloutSite) -> None:
    first = serving_site.releases.number(FIRST)
    (path,) = (serving_site.live / CLASSIFIER).glob("*/model.onnx")
    passport_path(path).write_bytes(b"{}")
    (problem,) = serving_site.verify(first).problems
    assert f"The passport of {CLASSIFIER}/{path.parent.name}/model.onnx cannot be read" in problem
    assert not serving_site.plan(first).is_empty
    with serving_site.hammered() as answers:
        serving_site.apply(first)
    assert {answer.release for answer in answers} == {first}
    assert not passport_path(path).exists()  # none was registered
    serving_site.assert_serves_only(first)


def test_two_rollouts_at_once_come_one_after_the_other(serving_site: RolloutSite, mlflow_server: str) -> None:
    first, second = (serving_site.releases.number(kind) for kind in (FIRST, SECOND))
    with serving_site.hammered():
        processes = [
            start(Errand.at(serving_site, mlflow_server, champion)) for champion in (second, first, second)
        ]
        for process in processes:
            process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    _, champion, _, outcome = serving_site.entries()[-1]
    assert champion is not None
    assert outcome in ("loaded", "verified")
    serving_site.assert_serves_only(champion)
