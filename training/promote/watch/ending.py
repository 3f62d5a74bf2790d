"""How a watcher ends: at once where it waits, after the pass where it makes one."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

GRACE_S = 20.0
"""How long a pass may go on after the process was asked to end, in seconds; most take less than ten.
Kubernetes kills after 30."""

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What asks the process to end."""


class Ending:
    """Turns the signals that ask a process to end into `KeyboardInterrupt`, at a good moment."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self._is_asked = False
        self._may_interrupt = True

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """End the block quietly once the process is asked to end, after its own cleanup."""
        watched = (*SIGNALS, signal.SIGALRM)
        previous = {number: signal.signal(number, self._handle) for number in watched}
        try:
            yield
        except KeyboardInterrupt:
            pass
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in previous.items():
                signal.signal(number, handler)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let the block come to its end first, for as long as `GRACE_S`, or until a second signal.

        Raises:
            KeyboardInterrupt: the process was asked to end meanwhile.
        """
        self._may_interrupt = False
        try:
            yield
        finally:
            self._may_interrupt = True
            if self._is_asked:
                raise KeyboardInterrupt

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        """Interrupt now, or note it and set the alarm, which comes here too."""
        if self._may_interrupt or self._is_asked:
            raise KeyboardInterrupt
        self._is_asked = True
        signal.setitimer(signal.ITIMER_REAL, GRACE_S)
