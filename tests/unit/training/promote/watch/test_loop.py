import logging
from collections.abc import Iterator

import pytest

from hilum.errors import HilumError
from training.errors import RefusedReleaseError
from training.promote.watch.bell import Bell
from training.promote.watch.loop import FIRST_RETRY_S, LONGEST_RETRY_S, Loop
from training.promote.watch.metrics import WatchMetrics
from training.promote.watch.state import State

INTERVAL_S = 30.0


class Ended(BaseException):
    """What a signal's exception is to the loop."""


class Ringing(Bell):
    """A bell that answers from a list, remembers the pauses, and ends the loop with the list."""

    def __init__(self, rings: list[bool]) -> None:
        super().__init__()
        self._rings = iter(rings)
        self.pauses: list[float] = []

    def wait(self, timeout_s: float) -> bool:
        self.pauses.append(timeout_s)
        try:
            return next(self._rings)
        except StopIteration:
            raise Ended from None


class Passes:
    """Passes that succeed, or raise what a list says."""

    def __init__(self, outcomes: list[Exception | None]) -> None:
        self._outcomes: Iterator[Exception | None] = iter(outcomes)

    def __call__(self) -> str:
        error = next(self._outcomes)
        if error:
            raise error
        return "Nothing to do."


def run(outcomes: list[Exception | None], rings: list[bool] | None = None) -> tuple[list[float], State, str]:
    """Let a loop make these passes; return its pauses, its last state, and its metrics."""
    bell = Ringing(rings or [False] * (len(outcomes) - 1))
    state, metrics = State(), WatchMetrics()
    loop = Loop(Passes(outcomes), bell=bell, metrics=metrics, state=state, interval_s=INTERVAL_S)
    with pytest.raises(Ended):
        loop.run()
    return bell.pauses, state, metrics.expose().decode()


def test_after_a_success_it_waits_its_interval() -> None:
    pauses, state, metrics = run([None, None])
    assert pauses == [INTERVAL_S] * 2
    assert state.condition is not None
    assert state.condition.succeeded
    assert state.condition.sentence == "Nothing to do."
    assert state.condition.last_success_at == state.condition.ended_at
    assert "hilum_rollout_last_success_timestamp_seconds 0.0" not in metrics


def test_failures_lengthen_the_pause_up_to_a_bound() -> None:
    pauses, _, _ = run([HilumError("no")] * 15)
    longest = [min(FIRST_RETRY_S * 2**n, LONGEST_RETRY_S) for n in range(15)]
    for pause, bound in zip(pauses, longest, strict=True):
        assert bound / 2 <= pause <= bound
    assert longest[-1] == LONGEST_RETRY_S
    assert len({pause / bound for pause, bound in zip(pauses, longest, strict=True)}) > 1  # jitter


def test_two_watchers_do_not_retry_in_step() -> None:
    assert run([HilumError("no")] * 5)[0] != run([HilumError("no")] * 5)[0]


def test_a_success_ends_the_retries() -> None:
    pauses, _, _ = run([HilumError("no"), HilumError("no"), None, HilumError("no")])
    assert pauses[2] == INTERVAL_S
    assert pauses[3] <= FIRST_RETRY_S


def test_an_event_resets_the_pause() -> None:
    pauses, _, _ = run([HilumError("no")] * 8, [False, False, False, False, False, False, True])
    assert pauses[6] >= FIRST_RETRY_S * 2**6 / 2
    assert pauses[7] <= FIRST_RETRY_S


@pytest.mark.parametrize(
    "error", [HilumError("Triton refuses."), OSError("disk"), ZeroDivisionError("a defect"), KeyError("key")]
)
def test_no_failure_ends_it(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        _, state, metrics = run([error])
    assert state.condition is not None
    assert not state.condition.succeeded
    assert str(error) in state.condition.sentence
    assert state.condition.last_success_at is None
    assert str(error) in caplog.text
    assert "hilum_rollout_last_success_timestamp_seconds 0.0" in metrics


def test_a_refused_release_is_polled_for_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    refused = [RefusedReleaseError("Release 2 is not tried again.")] * 3
    with caplog.at_level(logging.WARNING):
        pauses, state, metrics = run([HilumError("no"), *refused])
    assert pauses[1:] == [INTERVAL_S] * 3
    assert state.condition is not None
    assert not state.condition.succeeded
    assert state.condition.sentence == "Release 2 is not tried again."
    assert caplog.text.count("Release 2 is not tried again.") == 1
    assert "hilum_rollout_last_success_timestamp_seconds 0.0" in metrics


def test_a_failure_keeps_the_time_of_the_last_success() -> None:
    _, state, _ = run([None, HilumError("no")])
    assert state.condition is not None
    assert not state.condition.succeeded
    assert state.condition.last_success_at is not None


def test_a_signal_ends_it_in_the_middle_of_a_pass() -> None:
    def one_pass() -> str:
        raise KeyboardInterrupt

    loop = Loop(one_pass, bell=Bell(), metrics=WatchMetrics(), state=State(), interval_s=INTERVAL_S)
    with pytest.raises(KeyboardInterrupt):
        loop.run()
