import threading

import pytest

from training.promote.watch import bell as bell_module
from training.promote.watch.bell import Bell


def test_nobody_rings() -> None:
    assert not Bell().wait(0.0)


def test_rings_before_a_wait_are_heard_once() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    assert bell.wait(0.0)
    assert not bell.wait(0.0)


def test_a_ring_wakes_who_waits() -> None:
    bell = Bell()
    threading.Timer(0.01, bell.ring).start()
    assert bell.wait(60.0)


def test_a_burst_is_heard_as_one() -> None:
    bell = Bell()
    rings = iter(range(3))

    class Burst(threading.Event):
        """Rings again, three times, whenever somebody has heard it."""

        def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002  its base has it
            if next(rings, None) is None:
                return False
            self.set()
            return True

    bell._rung = Burst()
    assert bell.wait(0.0)
    assert next(rings, None) is None
    assert not bell._rung.is_set()


def test_a_burst_without_end_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell_module, "LONGEST_BURST_S", 0.05)
    monkeypatch.setattr(bell_module, "QUIET_S", 60.0)
    bell = Bell()
    stop = threading.Event()

    def ring() -> None:
        while not stop.is_set():
            bell.ring()
            stop.wait(0.001)

    thread = threading.Thread(target=ring)
    thread.start()
    try:
        assert bell.wait(60.0)
    finally:
        stop.set()
        thread.join()
