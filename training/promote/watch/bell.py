"""What wakes the watcher before its interval is over."""

import threading
import time

QUIET_S = 0.3
"""A burst of events has ended when none came for this long, in seconds: a promotion moves two aliases."""

LONGEST_BURST_S = 3.0
"""Longest wait for the end of a burst, in seconds."""


class Bell:
    """Rung by any thread, heard by one; rings between two hearings are heard once."""

    def __init__(self) -> None:
        """Hang it; nobody has rung."""
        self._rung = threading.Event()

    def ring(self) -> None:
        """Wake the listener, now or when it next listens."""
        self._rung.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait for a ring and the end of its burst; return False where none came in time."""
        if not self._rung.wait(timeout_s):
            return False
        deadline = time.monotonic() + LONGEST_BURST_S
        self._rung.clear()
        while self._rung.wait(QUIET_S) and time.monotonic() < deadline:
            self._rung.clear()
        self._rung.clear()
        return True
