"""SIGTERM is as Ctrl-C, inside the context alone."""

import os
import signal

import pytest

from training.train.interruption import sigterm_interrupts


def test_sigterm_interrupts_what_runs_inside() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), sigterm_interrupts():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
