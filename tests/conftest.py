"""What every test shares: its environment, and how `make test` divides the tests between processes."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

from tests.support.data import REPOSITORY

# `make test` runs a process per core, and what a network computes must not depend on the number of cores.
# Every command that a test starts inherits this.
os.environ["OMP_NUM_THREADS"] = "1"

# A busy machine is slow now and then: that is no fault of the code under test.
settings.register_profile("hilum", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hilum")

# A shell's background job inherits an ignored Ctrl-C, and so would every program that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

INTEGRATION = REPOSITORY / "tests" / "integration"
LONGEST_FIRST = (
    "test_readme",
    "test_demo",
    "test_training",
    "test_every_recipe",
    "test_stack",
    "test_distributed",
    "test_dashboard",
    "test_study",
    "test_gate",
    "test_watch",
    "test_server_process",
    "test_rollout_faults",
    "test_tune",
    "test_external_evaluation",
    "test_deployment",
    "test_explain",
)
"""Integration tests that take longest: with the short ones last, the processes end at about the same time.

From four minutes down to one, measured on two busy cores.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the fast tests first, then those that start servers, files that take longest before the others."""
    turn = {name: number for number, name in enumerate(LONGEST_FIRST, start=1)}
    last = len(turn) + 1
    items.sort(key=lambda item: turn.get(item.path.stem, last) if INTEGRATION in item.path.parents else 0)
