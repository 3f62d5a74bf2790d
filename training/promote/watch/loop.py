"""The watcher's loop: a pass when an event wakes it, when its interval is over, and again after a failure."""

import logging
import random
from collections.abc import Callable

from hilum.errors import HilumError
from training.errors import RefusedReleaseError
from training.promote.watch.bell import Bell
from training.promote.watch.metrics import WatchMetrics
from training.promote.watch.state import State

FIRST_RETRY_S = 1.0
"""Longest wait after the first failed pass, in seconds; it doubles with each further one."""

LONGEST_RETRY_S = 300.0
"""Longest wait after any number of failed passes, in seconds."""

log = logging.getLogger(__name__)


class Loop:
    """Passes, one after the other, until somebody ends the process."""

    def __init__(
        self,
        one_pass: Callable[[], str],
        *,
        bell: Bell,
        metrics: WatchMetrics,
        state: State,
        interval_s: float,
    ) -> None:
        """Prepare.

        Args:
            one_pass: brings the server to what the registry says; returns what it did as a sentence.
            bell: wakes the loop.
            metrics: told of every success.
            state: told of every pass.
            interval_s: time between two passes where nothing wakes it, in seconds.
        """
        self._one_pass = one_pass
        self._bell = bell
        self._metrics = metrics
        self._state = state
        self._interval_s = interval_s
        self._failures = 0

    def run(self) -> None:
        """Go on until a signal's exception ends it; a failed pass does not."""
        while True:
            self.step()
            if self._bell.wait(self.pause_s()):
                self._failures = 0  # what has changed may be what was wrong

    def step(self) -> None:
        """Make one pass and remember how it ended."""
        try:
            sentence = self._one_pass()
        except RefusedReleaseError as error:
            self._failures = 0  # trying sooner changes nothing: what would, an event or the next poll tells
            if not self._state.is_known(str(error)):
                log.warning("%s", error)
            self._state.failed(str(error))
        except (HilumError, OSError) as error:
            self._fail(str(error))
            log.warning("A pass failed (the next in at most %.0f s): %s", self._longest_pause_s(), error)
        except Exception as error:  # a defect must not end the watch either; the log has where it is
            self._fail(f"{type(error).__name__}: {error}")
            log.exception("A pass failed in a way that nobody foresaw.")
        else:
            if self._failures:
                log.warning("A pass succeeded again: %s", sentence)
            self._failures = 0
            self._state.succeeded(sentence)
            self._metrics.set_success()

    def pause_s(self) -> float:
        """Return how long to wait for the next pass, in seconds: jittered after failures."""
        longest = self._longest_pause_s()
        return random.uniform(longest / 2, longest) if self._failures else longest

    def _longest_pause_s(self) -> float:
        if not self._failures:
            return self._interval_s
        return min(FIRST_RETRY_S * 2.0 ** (self._failures - 1), LONGEST_RETRY_S)

    def _fail(self, sentence: str) -> None:
        self._failures += 1
        self._state.failed(sentence)
