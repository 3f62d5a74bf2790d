"""Keeps decoding libraries from warning or logging what stands in a file."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

LOGGER = "pydicom"
"""The logger, with those below it, whose messages quote values: patients' names among them."""

_lock = threading.Lock()
_inside = 0
_restore = ExitStack()


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Python warnings and `LOGGER` until the last of the threads inside has left.

    Both are process-wide state of the standard library: the first thread in changes it and the last
    one out restores it, so that overlapping decodes neither leak a message nor leave it silenced.
    """
    global _inside
    with _lock:
        if _inside == 0:
            _silence()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _restore.close()


def _silence() -> None:
    """Change the process-wide state and remember how to restore it."""
    _restore.enter_context(warnings.catch_warnings())
    warnings.simplefilter("ignore")
    logger = logging.getLogger(LOGGER)
    _restore.callback(logger.setLevel, logger.level)
    logger.setLevel(logging.CRITICAL + 1)
