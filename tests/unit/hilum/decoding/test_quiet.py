"""Nothing that a library says while it decodes gets out, and afterwards all is as before."""

import logging
import threading
import warnings

import pytest

from hilum.decoding.quiet import quiet


def test_warnings_and_pydicom_messages_are_silenced_inside_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    before = warnings.filters[:]
    with quiet():
        warnings.warn("secret", stacklevel=1)
        logging.getLogger("pydicom").error("secret")
        logging.getLogger("pydicom.pixels.utils").error("secret")
        logging.getLogger("hilum").error("heard")
    assert caplog.messages == ["heard"]
    assert warnings.filters == before
    with pytest.warns(UserWarning, match="loud"):
        warnings.warn("loud", stacklevel=1)
    logging.getLogger("pydicom").error("loud")
    assert caplog.messages == ["heard", "loud"]


def test_all_is_restored_after_an_error() -> None:
    before = warnings.filters[:]
    level = logging.getLogger("pydicom").level
    with pytest.raises(ZeroDivisionError), quiet():
        _ = 1 / 0
    assert warnings.filters == before
    assert logging.getLogger("pydicom").level == level


def test_overlapping_threads_stay_silent_until_the_last_has_left() -> None:
    before = warnings.filters[:]
    inside, first_left = threading.Event(), threading.Event()
    failures: list[str] = []

    def second() -> None:
        with quiet():
            inside.set()
            first_left.wait(10)
            try:
                warnings.warn("secret", stacklevel=1)  # an error under pytest, were it not silenced
            except UserWarning as error:
                failures.append(str(error))

    thread = threading.Thread(target=second)
    with quiet():
        thread.start()
        inside.wait(10)
    first_left.set()
    thread.join()
    assert not failures
    assert warnings.filters == before
