import os
import time

import pytest

from hilum.errors import HilumError
from training.data.parallel import WORTH_A_POOL, map_in_processes


@pytest.mark.parametrize("count", [0, 1, WORTH_A_POOL - 1, WORTH_A_POOL, 600])
def test_results_should_come_complete_and_in_order(count: int) -> None:
    assert list(map_in_processes(abs, range(-count, 0), "Counting")) == list(range(count, 0, -1))


def test_work_should_leave_this_process_only_where_it_is_worth_it() -> None:
    few = set(map_in_processes(_process, range(WORTH_A_POOL - 1), "Asking"))
    assert few == {os.getpid()}
    if len(os.sched_getaffinity(0)) == 1:
        pytest.skip("one core: no pool is started")
    assert os.getpid() not in set(map_in_processes(_process, range(WORTH_A_POOL), "Asking"))


def test_an_error_should_reach_the_caller() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(map_in_processes(int, ["1"] * WORTH_A_POOL + ["x"], "Parsing"))


def test_a_killed_worker_should_end_in_an_error_not_in_waiting() -> None:
    if len(os.sched_getaffinity(0)) == 1:
        pytest.skip("one core: no pool is started")
    started = time.monotonic()
    with pytest.raises(HilumError, match="worker process died while leaving"):
        list(map_in_processes(os._exit, [9] * WORTH_A_POOL, "Leaving"))
    assert time.monotonic() - started < 60


def _process(_: int) -> int:
    return os.getpid()
