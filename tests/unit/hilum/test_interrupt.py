import os
import signal

import pytest

from hilum.interrupt import until_stopped


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_block_after_its_cleanup(number: int) -> None:
    before = signal.getsignal(number)
    steps = []
    with until_stopped():
        try:
            os.kill(os.getpid(), number)
            steps.append("went on")
        finally:
            steps.append("cleaned up")
    assert steps == ["cleaned up"]
    assert signal.getsignal(number) is before


def test_an_error_is_not_swallowed() -> None:
    with pytest.raises(ValueError, match="mine"), until_stopped():
        raise ValueError("mine")
