import os
import signal
import threading
from collections.abc import Iterator

import pytest

from hilum.errors import HilumError
from training.promote.watch import ending as ending_module
from training.promote.watch.ending import SIGNALS, Ending


@pytest.fixture(autouse=True)
def handlers_are_put_back() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (*SIGNALS, signal.SIGALRM)}
    yield
    assert {number: signal.getsignal(number) for number in before} == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def ask(number: int = signal.SIGTERM) -> None:
    """Ask this process to end."""
    os.kill(os.getpid(), number)


def wait_long() -> None:
    threading.Event().wait(60)
    pytest.fail("nothing ended the wait")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_wait_ends_at_once(number: int) -> None:
    with Ending().awaited():
        threading.Timer(0.01, ask, [number]).start()
        wait_long()


def test_a_pass_comes_to_its_end_first() -> None:
    ending, done = Ending(), []
    with ending.awaited():
        with ending.deferred():
            ask()
            done.append("pass")
        done.append("another")
    assert done == ["pass"]


def test_a_failed_pass_ends_too() -> None:
    ending, done = Ending(), []
    with ending.awaited():
        try:
            with ending.deferred():
                ask()
                raise HilumError("Triton refuses.")
        except HilumError:
            done.append("another")
    assert done == []


def test_a_second_signal_interrupts_the_pass() -> None:
    ending = Ending()
    with ending.awaited(), ending.deferred():
        ask()
        threading.Timer(0.01, ask).start()
        wait_long()


def test_a_pass_that_takes_too_long_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending_module, "GRACE_S", 0.01)
    ending = Ending()
    with ending.awaited(), ending.deferred():
        ask()
        wait_long()


def test_nobody_asks() -> None:
    ending, done = Ending(), []
    with ending.awaited():
        for _ in range(2):
            with ending.deferred():
                done.append("pass")
    assert done == ["pass", "pass"]
